// eventemitter2: the same works as benchmarks/bus/works.py. Run as `node eventemitter2.js <work> <seconds>`.
'use strict'
const { EventEmitter2 } = require('eventemitter2')

const BATCH = 1000
const one = 'sensor:reading:taken'
const range = n => [...Array(n).keys()]
const thousand = range(1000).map(i => `sensor${i}:reading:taken`)
const reading = () => ({ celsius: 21.5, station: 'north' })

const works = {
  a: () => ({ types: [one], exact: [one], wild: [], hearers: 1 }),
  b: () => ({ types: [one], exact: Array(10).fill(one), wild: [], hearers: 10 }),
  c: () => ({ types: thousand, exact: thousand, wild: [], hearers: 1 }),
  d: () => ({
    types: range(2).flatMap(k => range(500).map(i => `d${i}:e0:a${k}`)),
    exact: range(500).flatMap(i => range(200).map(j => `d${i}:e${j % 20}:a${Math.floor(j / 20)}`)),
    wild: range(500).flatMap(i => [`d${i}:**`, `d${i}:e0:*`]), // in its own words, a segment and all the rest
    hearers: 3
  })
}

const [key, seconds] = process.argv.slice(2)
const work = works[key]()
// With wildcards on in every work, as ours always has them; without, it is a plain emitter and several times faster.
const emitter = new EventEmitter2({ wildcard: true, delimiter: ':', maxListeners: 0 })
let handled = 0
for (const type of [...work.exact, ...work.wild]) emitter.on(type, () => { handled++ })

let next = 0
function sendMany (count) {
  const { types } = work
  for (let i = 0; i < count; i++) {
    emitter.emit(types[next], reading())
    next = next + 1 === types.length ? 0 : next + 1
  }
}

sendMany(20 * BATCH) // until it is compiled
handled = 0
let sent = 0
const began = process.hrtime.bigint()
let took = 0
while (took < Number(seconds)) {
  sendMany(BATCH)
  sent += BATCH
  took = Number(process.hrtime.bigint() - began) / 1e9
}
if (handled !== sent * work.hearers) throw new Error(`${handled} of ${sent * work.hearers} were handled`)
process.stdout.write(JSON.stringify({ rate: sent / took }))
