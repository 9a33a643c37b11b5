// An edge node made with sparkplug-client, run by Node.js: PORT. Leaves when standard input ends.
"use strict";

const sparkplug = require("sparkplug-client");

const now = () => Date.now();
const metric = (name, type, value, more = {}) => ({ name, type, value, timestamp: now(), ...more });
const message = (...metrics) => ({ timestamp: now(), metrics });

const node = sparkplug.newClient({
  serverUrl: `mqtt://127.0.0.1:${process.argv[2]}`,
  username: "",
  password: "",
  groupId: "others",
  edgeNode: "sparkplug-client",
  clientId: "sparkplug-client",
  publishDeath: true,
});

function birth() {
  node.publishNodeBirth(message(metric("Node Control/Rebirth", "Boolean", false), metric("Flow", "Int32", -12)));
  const table = { numOfColumns: 2, columns: ["a", "b"], types: ["Int16", "String"], rows: [[-1, "x"], [2, ""]] };
  const properties = { engUnit: { type: "String", value: "K" }, Quality: { type: "Int32", value: 192 } };
  node.publishDeviceBirth(
    "unit-1",
    message(metric("Heat", "Double", 20.5, { properties }), metric("Table", "DataSet", table), metric("Count", "UInt32", 7)),
  );
}

node.on("birth", () => {
  birth();
  setTimeout(() => {
    node.publishNodeData(message(metric("Flow", "Int32", -13)));
    node.publishDeviceData("unit-1", message(metric("Heat", "Double", 21.5), metric("Count", "UInt32", 4294967295)));
    node.publishDeviceData("unit-1", message(metric("Heat", "Double", 22.5)), { compress: true, algorithm: "GZIP" });
  }, 500);
});
node.on("ncmd", birth); // the only command that it can get is a rebirth

process.stdin.resume();
process.stdin.on("end", () => {
  node.publishDeviceDeath("unit-1", { timestamp: now() });
  node.stop();
});
