// SPDX-License-Identifier: Apache-2.0
// Calls a method of systemd over D-Bus: connects, authenticates, calls, waits for the systemd job that the answer
// names, and closes the connection.

import { type HutchError, quote } from '../errors/errors.ts'
import { connect, type Socket } from '../system/sockets.ts'
import { type DbusValue, decodeMessage, encodeMessage, type Message, measureMessage } from './marshal.ts'

/** A method of systemd, with its arguments. */
export interface Call {
  interface: string
  member: string
  signature: string
  args: DbusValue[]
}

/** An answer of systemd: its values, and the result of the systemd job that it names. */
export interface Answer {
  values: DbusValue[]
  jobResult?: string
}

/** Why no answer came: no socket could be reached (with a line for each), or D-Bus returned an error. */
export type Failure =
  | { kind: 'unreachable'; tried: string[] }
  | { kind: 'refused'; errorName: string; text: string }
  | { kind: 'invalid'; error: HutchError }

const name = 'org.freedesktop.systemd1'
const object = '/org/freedesktop/systemd1'
const bus = { path: '/org/freedesktop/DBus', interface: 'org.freedesktop.DBus', destination: 'org.freedesktop.DBus' }
const jobRemoved = `type='signal',sender='${name}',path='${object}',interface='${name}.Manager',member='JobRemoved'`
/** Timeout of a call in milliseconds; the same as in the D-Bus libraries. */
const defaultPatienceMs = 25_000
const serials = { hello: 1, match: 2, call: 3 }

/**
 * Calls a method through the first socket that can be reached. With `waitsForJob`, waits until the systemd job that the
 * answer names has ended.
 */
export async function callSystemd(
  sockets: string[],
  call: Call,
  { waitsForJob = false, patienceMs = defaultPatienceMs } = {},
): Promise<Answer | Failure> {
  const tried: string[] = []
  for (const path of sockets) {
    const answer = await callAt(path, call, waitsForJob, patienceMs)
    if (!('tried' in answer)) return answer
    tried.push(...answer.tried)
  }
  return { kind: 'unreachable', tried }
}

function callAt(path: string, call: Call, waitsForJob: boolean, patienceMs: number): Promise<Answer | Failure> {
  const where = quote(path.replace(/^\0/, '@'))
  const unreachable = (why: string): Failure => ({ kind: 'unreachable', tried: [`${where}: ${why}`] })
  return new Promise((resolve) => {
    const socket = connect({ path })
    const timer = setTimeout(() => end(unreachable(`no answer within ${patienceMs / 1000} s`)), patienceMs)
    const end = (result: Answer | Failure) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(result)
    }
    socket.on('error', (error: NodeJS.ErrnoException) =>
      end(unreachable(errnoWords[error.code ?? ''] ?? error.message)),
    )
    socket.on('close', () => end(unreachable('the connection was closed')))
    // without an identity, D-Bus uses the credentials of the socket, which are also right in a user namespace
    socket.on('connect', () => socket.write('\0AUTH EXTERNAL\r\nDATA\r\n'))
    const finish = converse(socket, call, waitsForJob)
    socket.on('data', (chunk: Buffer) => {
      try {
        const result = finish(chunk)
        if (result) end(typeof result === 'string' ? unreachable(result) : result)
      } catch (error) {
        end({ kind: 'invalid', error: error as HutchError })
      }
    })
  })
}

const errnoWords: { [errno: string]: string } = {
  ENOENT: 'there is no such socket (ENOENT)',
  ECONNREFUSED: 'nobody listens there (ECONNREFUSED)',
  EACCES: 'this user may not connect to it (EACCES)',
}

/** Processes received bytes. Returns the answer as soon as all of it has arrived, or the error that D-Bus returned. */
function converse(
  socket: Socket,
  call: Call,
  waitsForJob: boolean,
): (chunk: Buffer) => Answer | Failure | string | undefined {
  let pending = Buffer.alloc(0)
  let begun = false
  let reply: Message | undefined
  const results = new Map<string, string>()
  const take = (message: Message): Answer | Failure | undefined => {
    const ours = Object.values(serials).includes(message.replySerial ?? 0)
    if (message.kind === 'error' && ours) {
      const text = typeof message.body[0] === 'string' ? message.body[0] : ''
      return { kind: 'refused', errorName: message.errorName ?? 'no name', text }
    }
    if (message.kind === 'return' && message.replySerial === serials.call) reply = message
    const [, job, , result] = message.body
    // accept the end of a job only from systemd itself; the answer to the call tells systemd's unique name on the bus
    if (message.kind === 'signal' && message.member === 'JobRemoved' && message.signature === 'uoss')
      results.set(`${message.sender} ${job}`, String(result))
    if (!reply) return undefined
    if (!waitsForJob) return { values: reply.body }
    const jobResult = results.get(`${reply.sender} ${reply.body[0]}`)
    return jobResult === undefined ? undefined : { values: reply.body, jobResult }
  }
  return (chunk) => {
    pending = Buffer.concat([pending, chunk])
    while (!begun) {
      const newline = pending.indexOf('\r\n')
      if (newline < 0) return pending.length > 16_384 ? 'its greeting is incomplete' : undefined
      const line = pending.toString('latin1', 0, newline)
      pending = pending.subarray(newline + 2)
      if (line.startsWith('OK')) {
        begun = true
        socket.write(Buffer.concat([Buffer.from('BEGIN\r\n'), ...requests(call, waitsForJob)]))
      } else if (!line.startsWith('DATA')) return `it does not accept this user (${quote(line)})`
    }
    for (;;) {
      const length = measureMessage(pending)
      if (length === undefined || pending.length < length) return undefined
      const result = take(decodeMessage(pending.subarray(0, length)))
      pending = pending.subarray(length)
      if (result) return result
    }
  }
}

/** Returns the call that reads a property of systemd's manager object. */
export function getProperty(property: string): Call {
  return {
    interface: 'org.freedesktop.DBus.Properties',
    member: 'Get',
    signature: 'ss',
    args: [`${name}.Manager`, property],
  }
}

/** Returns a property's text from an answer. Returns undefined if the property is not a text. */
export function readProperty(answer: Answer | Failure): string | undefined {
  const variant = 'values' in answer ? answer.values[0] : undefined
  return Array.isArray(variant) && variant[0] === 's' ? (variant[1] as string) : undefined
}

function requests(call: Call, waitsForJob: boolean): Uint8Array[] {
  const hello: Message = { kind: 'call', serial: serials.hello, ...bus, member: 'Hello', body: [] }
  const match: Message = {
    ...hello,
    serial: serials.match,
    member: 'AddMatch',
    signature: 's',
    body: [jobRemoved],
  }
  const { interface: of, member, signature, args } = call
  const request: Message = {
    kind: 'call',
    serial: serials.call,
    destination: name,
    path: object,
    interface: of,
    member,
    signature,
    body: args,
  }
  return (waitsForJob ? [hello, match, request] : [hello, request]).map(encodeMessage)
}
