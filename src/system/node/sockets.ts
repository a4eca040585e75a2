// SPDX-License-Identifier: Apache-2.0
// Implements ../sockets.ts on Node.
export { connect, createServer, type Server, Socket } from 'node:net'
