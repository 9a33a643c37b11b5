// What plain pages cannot do: make a photo small before it is sent (without what the camera wrote into it), and look
// again for a trigger.
const LONGEST = 1280;
const LOOK_MS = 1000;

for (const line of document.querySelectorAll("[data-again]")) {
  const look = async () => {
    try {
      const answer = await fetch(line.dataset.again, { signal: AbortSignal.timeout(5000) });
      if (answer.ok) {
        const text = new DOMParser().parseFromString(await answer.text(), "text/html").body.textContent;
        if (text && text !== line.textContent) line.textContent = text;
      }
    } catch {
      // The next look may succeed.
    }
    setTimeout(look, LOOK_MS);
  };
  setTimeout(look, LOOK_MS);
}

for (const input of document.querySelectorAll("[data-photo]")) {
  input.addEventListener("change", async () => {
    const fault = input.closest("section").querySelector(".fault");
    try {
      const image = await createImageBitmap(input.files[0]);
      const scale = Math.min(1, LONGEST / Math.max(image.width, image.height));
      const canvas = document.createElement("canvas");
      canvas.width = Math.round(image.width * scale);
      canvas.height = Math.round(image.height * scale);
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      const body = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.8));
      const answer = await fetch(input.dataset.photo, { method: "POST", body, headers: { "Content-Type": "image/jpeg" } });
      if (answer.redirected) location.assign(answer.url);
      else document.body.replaceWith(new DOMParser().parseFromString(await answer.text(), "text/html").body);
    } catch {
      fault.hidden = false;
    }
  });
}
