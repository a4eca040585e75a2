// SPDX-License-Identifier: Apache-2.0
// gRPC calls over a Unix socket, with the messages of a .proto file: as much of both as CRI's calls need. Integers are numbers, since
// none here has more than 53 bits that count.
import { readFileSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'

interface Field {
  name: string
  type: string
  number: number
  isRepeated: boolean
}

type Value = string | number | boolean | Buffer | Message | Value[] | { [key: string]: string }
export interface Message {
  [field: string]: Value | undefined
}

interface Schema {
  package: string
  /** Method → service, request, answer. */
  methods: Map<string, [service: string, request: string, answer: string]>
  messages: Map<string, Field[]>
  /** Names of each enumeration, by number. */
  enums: Map<string, string[]>
}

function parseProto(text: string): Schema {
  const schema: Schema = { package: '', methods: new Map(), messages: new Map(), enums: new Map() }
  const open: [kind: string, name: string][] = []
  for (const line of text.split('\n')) {
    const [, kind, block] = /^\s*(service|message|enum) (\w+) \{/.exec(line) ?? []
    if (kind) {
      open.push([kind, block!])
      if (kind === 'message') schema.messages.set(block!, [])
      if (kind === 'enum') schema.enums.set(block!, [])
    }
    if (/\}$/.test(line)) open.pop()
    const [, name] = open.at(-1) ?? []
    const [, method, request, answer] = /rpc (\w+)\((\w+)\) returns \((\w+)\)/.exec(line) ?? []
    if (method) schema.methods.set(method, [name!, request!, answer!])
    const [, repeated, type, field, number] = /^\s*(repeated )?(\w[\w<>, ]*) (\w+) = (\d+);/.exec(line) ?? []
    if (field)
      schema.messages.get(name!)!.push({ name: field, type: type!, number: Number(number), isRepeated: !!repeated })
    const [, word] = /^\s*(\w+) = \d+;/.exec(line) ?? []
    if (word) schema.enums.get(name!)!.push(word)
    schema.package ||= /^package ([\w.]+);/.exec(line)?.[1] ?? ''
  }
  return schema
}

const isMap = (type: string) => type.startsWith('map<')
const entry: Field[] = ['key', 'value'].map((name, i) => ({ name, type: 'string', number: i + 1, isRepeated: false }))

function varint(value: number | bigint): Buffer {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, BigInt(value))
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return Buffer.from([...bytes, Number(rest)])
}

function encode({ messages, enums }: Schema, fields: Field[], message: Message): Buffer {
  const parts: Buffer[] = []
  for (const name of Object.keys(message))
    if (!fields.some((field) => field.name === name)) throw new Error(`the message has no field ${name}`)
  for (const { name, type, number, isRepeated } of fields) {
    const given = message[name]
    if (given === undefined) continue
    const values = isMap(type)
      ? Object.entries(given).map(([key, value]) => ({ key, value }))
      : isRepeated
        ? (given as Value[])
        : [given]
    const inner = isMap(type) ? entry : messages.get(type)
    for (const value of values) {
      const bytes = inner
        ? encode({ messages, enums } as Schema, inner, value as Message)
        : typeof value === 'string' && !enums.has(type)
          ? Buffer.from(value)
          : undefined
      if (bytes) parts.push(varint((number << 3) | 2), varint(bytes.length), bytes)
      else parts.push(varint(number << 3), varint(enums.get(type)?.indexOf(value as string) ?? Number(value)))
    }
  }
  return Buffer.concat(parts)
}

/** Returns a message in which all fields have their defaults. */
function emptyOf({ messages, enums }: Schema, fields: Field[]): Message {
  const defaultOf = ({ type, isRepeated }: Field): Value | undefined => {
    if (isRepeated) return []
    if (isMap(type)) return {}
    if (messages.has(type)) return undefined
    return (
      enums.get(type)?.[0] ??
      (type === 'string' ? '' : type === 'bytes' ? Buffer.alloc(0) : type === 'bool' ? false : 0)
    )
  }
  return Object.fromEntries(fields.map((field) => [field.name, defaultOf(field)]))
}

function decode(schema: Schema, fields: Field[], data: Buffer): Message {
  const message = emptyOf(schema, fields)
  let at = 0
  const number = () => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = data[at++]!
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return Number(BigInt.asIntN(64, value))
    }
  }
  const bytes = () => {
    const size = number()
    at += size
    return data.subarray(at - size, at)
  }
  while (at < data.length) {
    const key = number()
    const field = fields.find((one) => one.number === key >> 3)
    const raw = (key & 7) === 2 ? bytes() : (key & 7) === 0 ? number() : undefined
    if (raw === undefined) throw new Error(`a field of wire type ${key & 7}`)
    if (field) keep(schema, message, field, raw)
  }
  return message
}

function keep(schema: Schema, message: Message, { name, type, isRepeated }: Field, raw: Buffer | number): void {
  if (isMap(type)) {
    const { key, value } = decode(schema, entry, raw as Buffer)
    Object.assign(message[name]!, { [key as string]: value })
    return
  }
  const inner = schema.messages.get(type)
  const value = inner
    ? decode(schema, inner, raw as Buffer)
    : type === 'string'
      ? String(raw)
      : (schema.enums.get(type)?.[raw as number] ?? (type === 'bool' ? raw !== 0 : raw))
  if (isRepeated) (message[name] as Value[]).push(value)
  else message[name] = value
}

export interface Client {
  call: (method: string, request: Message) => Promise<Message>
  close: () => void
}

/** Connects to a socket. A call that the server refuses is an error with its message. */
export function openClient(protoFile: string, socket: string): Client {
  const schema = parseProto(readFileSync(protoFile, 'utf8'))
  const http = connectHttp2('http://localhost', { createConnection: () => connect(socket) })
  http.on('error', () => {})
  const call = (method: string, request: Message) =>
    new Promise<Message>((resolve, reject) => {
      const [service, input, output] = schema.methods.get(method)!
      const path = `/${schema.package}.${service}/${method}`
      const stream = http.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
      })
      const pieces: Buffer[] = []
      let status: Record<string, unknown> = {}
      const note = (headers: Record<string, unknown>) => {
        if (headers['grpc-status'] !== undefined) status = headers
      }
      stream.on('response', note).on('trailers', note).on('error', reject)
      stream.on('data', (piece: Buffer) => pieces.push(piece))
      stream.on('end', () => {
        // an answer follows one byte of flags and four of size
        if (status['grpc-status'] === '0')
          resolve(decode(schema, schema.messages.get(output)!, Buffer.concat(pieces).subarray(5)))
        else
          reject(
            new Error(`${method}: ${decodeURIComponent(String(status['grpc-message'] ?? 'the connection ended'))}`),
          )
      })
      const message = encode(schema, schema.messages.get(input)!, request)
      const start = Buffer.alloc(5)
      start.writeUInt32BE(message.length, 1)
      stream.end(Buffer.concat([start, message]))
    })
  return { call, close: () => http.close() }
}
