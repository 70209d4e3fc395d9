// Takes letters (Node, nothing else).
'use strict'
const { readFile } = require('fs/promises')
const { EventEmitter } = require('events')
const vm = require('vm')
const env = process.env
class StampError extends Error {
  constructor(message, options) { super(message, options); this.name = 'StampError'; this.code = 'ESTAMP'; this.letter = env.ID }
}
class Box extends EventEmitter {
  #letters = []
  static open(which) { return new Box().take(which) }
  take(which) { return which === 'take.func' ? this.refuse(which) : this.#stamp(which) }
  refuse(which) { return this.#stamp(which) }
  #stamp(which) {
    if (which === 'take.type') throw new RangeError(`letter ${env.ID} of ${env.MAIL} weighs ${env.AMOUNT} g`)
    if (which === 'take.msg') throw new StampError(`letter ${env.ID} of ${env.MAIL} has no stamp`)
    throw new StampError(`letter ${env.ID} of ${env.MAIL} weighs ${env.AMOUNT} g`)
  }
}
async function route(which) {
  try {
    return JSON.parse(await readFile(env.FILE))
  } catch (cause) {
    if (which === 'route.cause') cause = new SyntaxError(`unexpected "${env.TEXT}"`)
    if (which === 'route.bare') throw cause
    throw new StampError(`route ${env.UUID} is unknown`, { cause })
  }
}
function sort(which) {
  const rows = new Map([[env.CODE, { owner: null }]])
  switch (which) {
    case 'sort': return rows.get(env.CODE).owner.name
    case 'sort.msg': return rows.get(env.CODE).owner.mail
    case 'sort.type': return new Array(-env.ID)
    case 'sort.call': return rows.get(env.CODE).weigh()
    case 'sort.json': return JSON.parse(`{"${env.NAME}": ${env.TEXT}}`)
    case 'sort.vm': return vm.runInNewContext('letter.from.town', { letter: {} })
  }
}
const which = process.argv[2]
const [family] = which.split('.')
if (family === 'take') Box.open(which)
else if (family === 'route') route(which)
else if (family === 'sort') sort(which)
else if (family === 'emit') new Box().emit('error', which === 'emit.msg' ? env.TEXT.split(' ') : new Error(`box ${env.ID} is full`))
else if (family === 'log') console.error(`${which === 'log.msg' ? 'Cannot open' : 'Cannot close'} box %d at %s:`, env.ID, env.HOST, Object.assign(new Error(`key ${env.CODE} is bent`), { code: 'EKEY' }))
