// SPDX-License-Identifier: Apache-2.0
// Node's host of ../sockets.ts.
export { connect, createServer, type Server, Socket } from 'node:net'
