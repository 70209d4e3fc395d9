// Feeds fish (Node, modules).
import { createRequire } from "node:module";
import net from "node:net";
const env = process.env;

async function dose(tank) {
  await null;
  if (env.WHICH.endsWith(".msg")) throw new Error(`pump ${env.CODE} of tank ${tank} is dry`);
  if (env.WHICH.endsWith(".type")) throw new TypeError(`pump ${env.CODE} of tank ${tank} is clogged`);
  throw new Error(`pump ${env.CODE} of tank ${tank} is clogged`);
}

const flush = async (tank) => {
  await null;
  throw new Error(`pump ${env.CODE} of tank ${tank} is clogged`);
};

export const feed = async (tanks) => Promise.all(tanks.map((tank) => (env.WHICH === "feed.func" ? flush(tank) : dose(tank))));

const any = (tanks) => Promise.any(tanks.map((tank) => (env.WHICH === "any.func" ? flush(tank) : dose(tank))));

function dial() {
  return new Promise((_, reject) => net.connect(Number(env.ID) % 9 + 1, "127.0.0.1").on("error", reject));
}

async function light() {
  if (env.WHICH === "light.type") return structuredClone(() => 1);
  if (env.WHICH === "light.msg") return import("./missing-" + "lamp.mjs");
  if (env.WHICH === "light.func") return createRequire(import.meta.url)("chalk-lamp");
  return dial();
}

const calls = { feed: () => feed([env.ID, env.AMOUNT]), any: () => any([env.ID, env.AMOUNT]), light };
try {
  await calls[env.WHICH.split(".")[0]]();
} catch (error) {
  if (env.WHICH.startsWith("light")) console.error(`${env.NOW} [${process.pid}] ERROR aquarium: ${error.stack}`);
  else throw error;
}
