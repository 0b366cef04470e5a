// The library ws, broadcasting as its documentation does.
'use strict'
const { WebSocketServer, WebSocket } = require('ws')
const { obey } = require('./orders')

const [port, control] = process.argv.slice(2)
const server = new WebSocketServer({ host: '127.0.0.1', port: Number(port), backlog: 1024, perMessageDeflate: false })
server.on('connection', client => {
  client.on('error', () => {})
  client.send('hi')
})
obey(control, message => {
  const data = JSON.stringify(message)
  server.clients.forEach(client => {
    if (client.readyState === WebSocket.OPEN) client.send(data)
  })
})
