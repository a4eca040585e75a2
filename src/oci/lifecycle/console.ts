// SPDX-License-Identifier: Apache-2.0
// The sockets of a container's process: the one on which it waits for its start, and the one that receives its terminal.

import { fail } from '../../errors/errors.ts'
import { closeDescriptor, errnoName, native } from '../../system/native.ts'
import type { Waiting } from './launch-contained.ts'

/** Where the terminal of a process goes. */
interface Console {
  /** The first is the socket to which the process sends its terminal. All must be closed in the end. */
  sockets: number[]
  /**
   * Receives the terminal, which the process has sent before it waits. The returned function connects the standard
   * streams with it, until the process has ended. Absent if the caller does that.
   */
  receive?: () => (process: Waiting) => void
}

/** Listens at a path for the process that starts the command. @throws FILE_REFUSED */
export function listenAt(path: string): number {
  return opened(native().listenAt(path), 'listen at', path)
}

/** Connects to a stream socket of a caller. @throws FILE_REFUSED */
export function connectTo(path: string): number {
  return opened(native().connectTo(path), 'connect to', path)
}

/**
 * Opens what receives the terminal of a process: the caller's socket, or this process itself. Returns undefined without
 * a terminal.
 *
 * @throws OPTION_CONFLICT, FILE_REFUSED
 */
export function openConsole(terminal: boolean, path: string | undefined, detached: boolean): Console | undefined {
  if (path !== undefined && !(terminal && detached))
    throw conflict(terminal ? 'the command is not detached' : 'process.terminal is not true', 'leave it out')
  if (!terminal) return undefined
  if (path !== undefined) {
    const socket = connectTo(path)
    return { sockets: [socket] }
  }
  if (detached) throw conflict('process.terminal is true', 'give the path of a socket that receives the terminal')
  const [ours, socket = -1] = native().socketPair()
  if (ours < 0) throw fail('STREAM_FAILED', { what: 'create a connection', why: errnoName(ours) })
  return { sockets: [socket, ours], receive: () => receiveTerminal(ours) }
}

function receiveTerminal(socket: number): (process: Waiting) => void {
  const master = native().receiveTerminal(socket)
  if (master < 0) throw fail('STREAM_FAILED', { what: 'receive the terminal', why: errnoName(master) })
  return ({ pid }) => {
    native().followTerminal(master, pid)
    closeDescriptor(master)
  }
}

function conflict(why: string, remedy: string) {
  return fail('OPTION_CONFLICT', { name: '--console-socket', why, remedy })
}

function opened(fd: number, what: string, path: string): number {
  if (fd >= 0) return fd
  const remedy = 'give a path that this user can use'
  throw fail('FILE_REFUSED', { what, path, errno: errnoName(fd), remedy })
}
