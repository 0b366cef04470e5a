// Publish by the orders of the load client; the same as benchmarks/fanout/marks.py.
'use strict'
const net = require('net')
const readline = require('readline')

const SIZE = 200
const BARE = '{"mark":"","pad":""}'.length

const now = () => process.hrtime.bigint() // CLOCK_MONOTONIC, as everywhere

function payload (phase, number, due) {
  const mark = `#${String(phase).padStart(2, '0')}${String(number).padStart(8, '0')}${String(due).padStart(19, '0')}`
  return { mark, pad: 'x'.repeat(SIZE - BARE - mark.length) }
}

// Publish one message a turn of the event loop, so that sockets get their turn, too.
function carryOut (order, publish, done) {
  const began = now()
  let index = 0
  const step = () => {
    if (index === order.count) return done()
    const due = order.interval ? began + BigInt(index) * BigInt(order.interval) : now()
    const wait = Number(due - now()) / 1e6
    if (wait > 0) return setTimeout(step, Math.floor(wait)) // timers know whole milliseconds; the rest is turned over
    publish(payload(order.phase, order.first + index, due))
    index++
    setImmediate(step)
  }
  step()
}

exports.obey = function (path, publish) {
  net.createServer(giver => {
    const waiting = []
    let busy = false
    const next = () => {
      busy = waiting.length > 0
      if (busy) carryOut(waiting.shift(), publish, next)
    }
    readline.createInterface({ input: giver }).on('line', line => {
      const [phase, first, count, interval] = line.split(' ').map(Number)
      waiting.push({ phase, first, count, interval })
      if (!busy) next()
    })
  }).listen(path)
}
