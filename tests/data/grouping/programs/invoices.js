"use strict";
// Writes invoices (Node, nothing else).
function total(invoice) {
  return invoice.lines.map((line) => line.price.amount).reduce((a, b) => a + b);
}

function load(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`invoice of ${text.length} characters is broken`, { cause: error });
  }
}

const [, , which, seed] = process.argv;
try {
  if (which === "total") total({ lines: [{ id: seed }] });
  else if (which === "load") load(`{"id": ${seed}, }`);
  else new Array(-1 - Number(seed));
} catch (error) {
  console.error(error);
}
