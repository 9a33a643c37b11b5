// A host that reads with sparkplug-payload, run by Node.js: PORT GROUP. One JSON line for each message; asks a node for a
// rebirth when a line of standard input names it, leaves when that ends. The package decodes by the type that stands beside
// a value, and data have none: what the births said is written into the message before it is given to it.
"use strict";

const mqtt = require("mqtt");
const sparkplug = require("sparkplug-payload").get("spBv1.0");
const { Payload } = require("sparkplug-payload/lib/sparkplugPayloadProto").org.eclipse.tahu.protobuf;

const [port, group] = process.argv.slice(2);
const born = new Map();
const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { clientId: "sparkplug-payload" });
const tell = (said) => console.log(JSON.stringify(said));

function explained(device, bytes) {
  const raw = Payload.decode(bytes);
  for (const metric of raw.metrics) {
    const { name, datatype } = born.get(`${device}/${metric.alias}`) ?? metric;
    Object.assign(metric, { name, datatype });
  }
  return Payload.encode(raw).finish();
}

client.on("connect", () => client.subscribe(`spBv1.0/${group}/#`, () => tell({ type: "listening" })));
client.on("message", (topic, bytes) => {
  const [, , type, node, device = null] = topic.split("/");
  if (type.endsWith("CMD")) return;
  if (type.endsWith("BIRTH")) {
    for (const metric of Payload.decode(bytes).metrics) born.set(`${device}/${metric.alias}`, metric);
  }
  const { metrics = [] } = sparkplug.decodePayload(type.endsWith("DATA") ? explained(device, bytes) : bytes);
  tell({ type, node, device, values: Object.fromEntries(metrics.map(({ name, value }) => [name, value ?? null])) });
});

require("readline")
  .createInterface({ input: process.stdin })
  .on("line", (node) => {
    const rebirth = { name: "Node Control/Rebirth", type: "Boolean", value: true, timestamp: Date.now() };
    const payload = sparkplug.encodePayload({ timestamp: Date.now(), metrics: [rebirth] });
    client.publish(`spBv1.0/${group}/NCMD/${node}`, Buffer.from(payload));
  })
  .on("close", () => client.end());
