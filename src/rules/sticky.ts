// SPDX-License-Identifier: Apache-2.0
// Serves the socket on which cgexec and cgclassify request that rules do not move a process. Each side sends one
// message:
//
//   cgexec                              hutch
//   pid, flags (two native i32)  ──▶    remembers the process
//                                ◀──    SUCCESS_STORE_PID and a NUL

import { fail } from '../errors/errors.ts'
import { lstatSync, unlinkSync } from '../system/files.ts'
import { endianness } from '../system/machine.ts'
import { connect, createServer, type Server, type Socket } from '../system/sockets.ts'

/** A client's request. `flags`: 0, the process is not moved; 1, its children are not moved either; 2, both may be moved again. */
export interface StickyRequest {
  pid: number
  flags: 0 | 1 | 2
}

export const defaultSocket = '/run/cgred.socket'
const requestBytes = 8
const patienceMs = 2000

/**
 * Listens for requests. Accepts only those of root, the only user that may exempt processes from rules.
 *
 * @throws RULES_TAKEN, FILE_REFUSED
 */
export async function listenSticky(path: string, onRequest: (request: StickyRequest) => boolean): Promise<Server> {
  await clearStale(path)
  const server = createServer((socket) => answer(socket, onRequest))
  const umask = process.umask(0o177)
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, resolve)
    })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EADDRINUSE') throw fail('RULES_TAKEN', { path, why: 'it already exists' }, error)
    throw fail('FILE_REFUSED', { what: 'listen at', path, errno: code ?? 'EIO', remedy: 'name another with --socket' })
  } finally {
    process.umask(umask)
  }
  return server
}

/** Removes the file of a socket that no process listens on, which a killed daemon left. */
async function clearStale(path: string): Promise<void> {
  const there = lstatSync(path, { throwIfNoEntry: false })
  if (!there) return
  if (!there.isSocket()) throw fail('RULES_TAKEN', { path, why: 'the path exists and is not a socket' })
  const answered = await new Promise<boolean>((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => resolve(true))
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'))
    socket.once('close', () => socket.destroy())
    socket.once('connect', () => socket.destroy())
  })
  if (answered) throw fail('RULES_TAKEN', { path, why: 'another program is listening there' })
  unlinkSync(path)
}

function answer(socket: Socket, onRequest: (request: StickyRequest) => boolean): void {
  let bytes = Buffer.alloc(0)
  socket.setTimeout(patienceMs, () => socket.destroy())
  // ignore a client that closed its connection
  socket.on('error', () => socket.destroy())
  socket.on('data', (data) => {
    if (bytes.length >= requestBytes) return
    bytes = Buffer.concat([bytes, data as Buffer])
    const request = bytes.length >= requestBytes ? parseRequest(bytes) : undefined
    if (request && onRequest(request)) socket.end('SUCCESS_STORE_PID\0')
    else if (bytes.length >= requestBytes) socket.destroy()
  })
}

/** Parses a client's request. Returns undefined if the bytes are invalid. */
export function parseRequest(bytes: Buffer): StickyRequest | undefined {
  const [pid, flags] =
    endianness() === 'LE' ? [bytes.readInt32LE(0), bytes.readInt32LE(4)] : [bytes.readInt32BE(0), bytes.readInt32BE(4)]
  return pid > 0 && (flags === 0 || flags === 1 || flags === 2) ? { pid, flags } : undefined
}

/** Formats a request in the form that clients send. */
export function formatRequest({ pid, flags }: StickyRequest): Buffer {
  return Buffer.from(new Uint8Array(new Int32Array([pid, flags]).buffer))
}
