// socket.io over WebSocket alone, emitting to everyone.
'use strict'
const http = require('http')
const { Server } = require('socket.io')
const { obey } = require('./orders')

const [port, control] = process.argv.slice(2)
const web = http.createServer()
const server = new Server(web, { transports: ['websocket'] })
web.listen({ host: '127.0.0.1', port: Number(port), backlog: 1024 })
obey(control, message => server.emit('tick', message))
