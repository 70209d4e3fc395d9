"use strict";
// Sells fruit (Node, CommonJS).
const fs = require("fs");
const { EventEmitter } = require("events");
const env = process.env;

class PickError extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = "PickError";
    this.code = "EPICK";
    this.tree = Number(env.ID);
  }
}

class Tree {
  constructor(which) {
    this.which = which;
  }
  pick(id) {
    if (this.which === "pick.type") throw new RangeError(`tree ${id} gave ${env.AMOUNT} apples to ${env.MAIL}`);
    if (this.which === "pick.msg") throw new PickError(`tree ${id} was felled by ${env.MAIL} on ${env.DAY}`);
    throw new PickError(`tree ${id} gave ${env.AMOUNT} apples to ${env.MAIL}`);
  }
  shake(id) {
    throw new PickError(`tree ${id} gave ${env.AMOUNT} apples to ${env.MAIL}`);
  }
}

const crate = {
  get weight() {
    return undefined.kilos;
  },
  label: (fruit) => fruit.label.toUpperCase(),
  open: () => null.lid,
};

async function press(which) {
  await new Promise((done) => setImmediate(done));
  try {
    if (which === "press.cause") JSON.parse(env.TEXT);
    else await fs.promises.readFile(env.FILE);
  } catch (cause) {
    throw new PickError(`press ${env.UUID} is stuck`, { cause });
  }
}

async function main(which) {
  const tree = new Tree(which);
  const sale = new EventEmitter();
  sale.on("sold", (id) => (which === "pick.func" ? tree.shake(id) : tree.pick(id)));
  if (which.startsWith("pick")) sale.emit("sold", env.ID);
  else if (which === "crate") crate.label({ kind: env.NAME });
  else if (which === "crate.func") crate.weight;
  else if (which === "crate.msg") crate.open();
  else if (which === "crate.type") new Array(-env.ID);
  else await press(which);
}

main(process.argv[2]).catch((error) => {
  if (process.argv[2].startsWith("crate")) throw error;
  console.error(error);
});
if (process.argv[2].startsWith("crate")) process.removeAllListeners("unhandledRejection");
