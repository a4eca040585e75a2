// SPDX-License-Identifier: Apache-2.0
// D-Bus as bytes, addresses and names of units as values; and buses that answer nonsense, on real sockets.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { HutchError } from '../../../src/errors/errors.ts'
import { commonGroup } from '../../../src/host/host.ts'
import { findBuses, parseBusAddress } from '../../../src/systemd/address.ts'
import { type Call, callSystemd, getProperty, readProperty } from '../../../src/systemd/bus.ts'
import {
  type DbusValue,
  decodeMessage,
  encodeMessage,
  type Message,
  splitSignature,
} from '../../../src/systemd/marshal.ts'
import { enclosingScope, isBelowUnit, parseScopeName, scopeName } from '../../../src/systemd/unit.ts'

const text = fc.string().filter((value) => !value.includes('\0'))
const leaves: { [type: string]: fc.Arbitrary<DbusValue> } = {
  y: fc.nat(255),
  b: fc.boolean(),
  n: fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 }),
  q: fc.nat(65_535),
  i: fc.integer(),
  u: fc.nat(2 ** 32 - 1),
  x: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  t: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  d: fc.double({ noNaN: true }),
  s: text,
  o: text,
  g: fc.constantFrom('', 'su', 'a(sv)'),
}

/** A type with a value of it. */
const typed = fc.letrec<{ any: [string, DbusValue] }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    ...Object.entries(leaves).map(([type, value]) => fc.tuple(fc.constant(type), value)),
    tie('any').map(([type, value]): [string, DbusValue] => ['v', [type, value]]),
    tie('any').map(([type, value]): [string, DbusValue] => [`a${type}`, [value, value]]),
    tie('any').map(([type]): [string, DbusValue] => [`a${type}`, []]),
    fc
      .array(tie('any'), { minLength: 1, maxLength: 3 })
      .map((fields): [string, DbusValue] => [`(${fields.map(([type]) => type).join('')})`, fields.map(([, v]) => v)]),
  ),
})).any

test('every message reads back as it was written', () => {
  fc.assert(
    fc.property(fc.array(typed, { maxLength: 4 }), text, fc.nat(2 ** 32 - 1), (values, path, serial) => {
      const signature = values.map(([type]) => type).join('')
      fc.pre(signature.length <= 255)
      const message: Message = { kind: 'call', serial, path, signature, body: values.map(([, value]) => value) }
      expect(decodeMessage(encodeMessage(message))).toEqual(message)
      expect(splitSignature(signature)).toEqual(values.map(([type]) => type))
    }),
    { numRuns: 2000 },
  )
})

test('a message has the bytes that the specification says', () => {
  const bytes = encodeMessage({ kind: 'call', serial: 7, member: 'Hi', signature: 'as', body: [['ab']] })
  expect(Buffer.from(bytes).toString('hex')).toBe(
    [
      '6c010001', // little-endian, a call, no flags, version 1
      '0b000000', // 11 bytes of body
      '07000000', // serial
      '18000000', // 24 bytes of header fields
      '030173000200000048690000', // member: s "Hi", padded to 8
      '00000000',
      '0801670002617300', // signature: g "as"
      '0700000002000000616200', // 7 bytes of array: "ab"
    ].join(''),
  )
})

test('random and damaged bytes are an error, never a crash', () => {
  const good = encodeMessage({
    kind: 'signal',
    serial: 9,
    path: '/a',
    member: 'JobRemoved',
    signature: 'uossa{sv}',
    body: [1, '/job', 'x.scope', 'done', [['k', ['v', ['as', ['1', '2']]]]]],
  })
  const damaged = fc
    .tuple(fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 }), fc.option(fc.nat(good.length)))
    .map(([changes, length]) => {
      const bytes = good.slice(0, length ?? undefined)
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
      return bytes
    })
  fc.assert(
    fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      try {
        decodeMessage(bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(HutchError)
      }
    }),
    { numRuns: 20_000 },
  )
})

test('signatures nested without end are refused', () => {
  for (const signature of ['a'.repeat(255), '('.repeat(255), 'a', '()', '(s', 's)', '{sv', 'z', 's'.repeat(256)])
    expect(() => splitSignature(signature), signature).toThrow(HutchError)
})

test.each([
  ['unix:path=/run/bus,guid=12ab', ['/run/bus']],
  ['unix:abstract=/tmp/x;unix:path=/run/a%20b', ['\0/tmp/x', '/run/a b']],
  ['tcp:host=localhost,port=1', []],
  ['unix:path=relative', []],
  ['unix:path=/a%00b', []],
  ['unix:path=/a%zz', []],
  ['', []],
])('the bus address %j', (address, sockets) => {
  expect(parseBusAddress(address)).toEqual(sockets)
})

test('any text is an address list, with sockets or without', () => {
  fc.assert(fc.property(fc.string(), (address) => parseBusAddress(address).every((path) => path.length > 1)))
})

test('a user’s bus is looked for where the session says, then at its usual place', () => {
  expect(findBuses('user', { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/x', XDG_RUNTIME_DIR: '/r' }, 7)).toEqual([
    '/x',
    '/r/bus',
  ])
  expect(findBuses('user', {}, 7)).toEqual(['/run/user/7/bus'])
  expect(findBuses('system', {}, 0)).toEqual(['/run/dbus/system_bus_socket'])
})

test('a scope’s name tells whose it is', () => {
  const owner = { pid: 12, startTime: '345' }
  expect(parseScopeName(scopeName(owner))).toEqual({ pid: '12', startTime: '345' })
  for (const name of ['run-u1.scope', 'hutch-1.scope', 'hutch-1-2.service', 'xhutch-1-2.scope'])
    expect(parseScopeName(name)).toBeUndefined()
})

test.each([
  ['/cg/system.slice/a.service', false],
  ['/cg/system.slice/a.service/worker', true],
  ['/cg/user.slice/user-1.slice/session-1.scope', false],
  ['/cg/user.slice/user-1.slice/user@1.service/app.slice/b.scope', false],
  ['/cg/user.slice/user-1.slice/user@1.service/app.slice/b.scope/x', true],
  ['/cg', false],
])('whether %s stands below a unit: %j', (directory, below) => {
  expect(isBelowUnit(directory)).toBe(below)
})

test('a group below a scope of hutch’s finds it', () => {
  expect(enclosingScope('/cg/system.slice/hutch-1-2.scope/hutch-leaf')).toBe('/cg/system.slice/hutch-1-2.scope')
  expect(enclosingScope('/cg/system.slice/run-1.scope')).toBeUndefined()
})

test.each([
  ['/cg/a/b', '/cg/a/c/d', '/cg/a'],
  ['/cg/a', '/cg/a/b', '/cg/a'],
  ['/cg/a/b', '/cg/a', '/cg/a'],
  ['/cg/ab', '/cg/a', '/cg'],
])('%s and %s are in %s', (one, other, both) => {
  expect(commonGroup(one, other)).toBe(both)
})

const work = mkdtempSync(`${tmpdir()}/hutch-bus-`)
const servers: Server[] = []
const connections = new Set<Socket>()
let next = 0

/** A bus of one's own: what it says when something comes. */
function serve(answer: (socket: Socket, data: Buffer) => void): Promise<string> {
  const path = `${work}/${++next}`
  const server = createServer((socket) => {
    connections.add(socket)
    socket.on('data', (data) => answer(socket, data))
    socket.on('error', () => {})
  })
  servers.push(server)
  return new Promise((resolve) => server.listen(path, () => resolve(path)))
}

afterAll(() => {
  for (const socket of connections) socket.destroy()
  for (const server of servers) server.close()
  rmSync(work, { recursive: true })
})

const version: Call = getProperty('Version')
const start: Call = { interface: 'i', member: 'StartTransientUnit', signature: '', args: [] }
let greet: (then: (socket: Socket) => void) => (socket: Socket, data: Buffer) => void

beforeAll(() => {
  greet = (then) => (socket, data) => {
    if (data.includes('AUTH')) socket.write('DATA\r\nOK 00\r\n')
    else then(socket)
  }
})

const signal = (sender: string, result: string) =>
  encodeMessage({
    kind: 'signal',
    serial: 5,
    sender,
    member: 'JobRemoved',
    signature: 'uoss',
    body: [1, '/job/1', 'u', result],
  })
const reply = (signature: string, body: DbusValue[]) =>
  encodeMessage({ kind: 'return', serial: 4, replySerial: 3, sender: ':1.0', signature, body })

test('an answer is read, also when it comes byte by byte', async () => {
  const path = await serve(
    greet((socket) => {
      for (const byte of reply('v', [['s', '257']])) socket.write(Uint8Array.of(byte))
    }),
  )
  expect(readProperty(await callSystemd([path], version))).toBe('257')
})

test('how a job ended is believed of systemd alone', async () => {
  const path = await serve(
    greet((socket) => {
      socket.write(signal(':1.66', 'failed'))
      socket.write(reply('o', ['/job/1']))
      socket.write(signal(':1.0', 'done'))
    }),
  )
  expect(await callSystemd([path], start, { waitsForJob: true })).toEqual({ values: ['/job/1'], jobResult: 'done' })
})

test('a refusal keeps its name and words', async () => {
  const path = await serve(
    greet((socket) =>
      socket.write(
        encodeMessage({ kind: 'error', serial: 4, replySerial: 3, errorName: 'a.B', signature: 's', body: ['no'] }),
      ),
    ),
  )
  expect(await callSystemd([path], version)).toEqual({ kind: 'refused', errorName: 'a.B', text: 'no' })
})

test.each<[string, string, (socket: Socket, data: Buffer) => void]>([
  ['rejects this user', 'it does not accept this user', (socket) => socket.write('REJECTED EXTERNAL\r\n')],
  ['greets without end', 'its greeting is incomplete', (socket) => socket.write('x'.repeat(20_000))],
  ['closes at once', 'the connection was closed', (socket) => socket.end()],
  ['is silent', 'no answer within 0.2 s', () => {}],
])('a bus that %s is told as unreachable', async (what, why, answer) => {
  const path = await serve(answer)
  const failure = await callSystemd([path], version, what === 'is silent' ? { patienceMs: 200 } : {})
  expect(failure).toMatchObject({ kind: 'unreachable', tried: [expect.stringContaining(`${path}: ${why}`)] })
})

test('each socket that was tried is told', async () => {
  const failure = await callSystemd([`${work}/none`, '\0hutch-no-such-bus'], version)
  expect(failure).toEqual({
    kind: 'unreachable',
    tried: [
      `${work}/none: there is no such socket (ENOENT)`,
      '"@hutch-no-such-bus": nobody listens there (ECONNREFUSED)',
    ],
  })
})

test.each<[string, Uint8Array]>([
  ['nonsense', Buffer.from('x'.repeat(64))],
  ['a message of 2 GiB', Buffer.from('6c02000100000080010000000000000000000000', 'hex')],
  ['a body that is not what its signature says', reply('v', [['s', '257']]).slice(0, -2)],
])('a bus that answers %s is an error', async (_, bytes) => {
  const path = await serve(
    greet((socket) => {
      socket.write(bytes)
      socket.end()
    }),
  )
  const answer = await callSystemd([path], version, { patienceMs: 1000 })
  expect(answer).toMatchObject({ kind: expect.stringMatching(/invalid|unreachable/) })
})
