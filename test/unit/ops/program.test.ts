// SPDX-License-Identifier: Apache-2.0
// Programs of operations: encoded, explained, and the same in TypeScript and C.
import { execFileSync } from 'node:child_process'
import { array, assert, integer, property, string, tuple } from 'fast-check'
import { expect, test } from 'vitest'
import { explainProgram } from '../../../src/ops/explain.ts'
import { type Op, ops, type Program } from '../../../src/ops/ops.ts'
import { decodeFigures, encodeProgram } from '../../../src/ops/wire.ts'
import { compilePlan } from '../../../src/plan/compile.ts'
import { shellWord } from '../../../src/text/quote.ts'
import { hybrid, plan } from '../hosts.ts'

/** Reads the format as native/wire/program.h tells it, independently of the encoder. */
function decode(bytes: Uint8Array) {
  const data = Buffer.from(bytes)
  expect(data.toString('latin1', 0, 4)).toBe('hut1')
  const outer = data.readUInt32LE(4)
  expect([data.readUInt32LE(8) + outer + 16, data.readUInt32LE(12)]).toEqual([data.length, 0])
  const byCode = new Map(Object.entries(ops).map(([name, op]) => [op.code as number, [name, op.fields] as const]))
  const section = (from: number, to: number) => {
    const list: object[] = []
    for (let at = from; at < to; ) {
      const [name, fields] = byCode.get(data.readUInt32LE(at))!
      const end = at + 8 + data.readUInt32LE(at + 4)
      at += 8
      const op: Record<string, unknown> = { op: name }
      const u32 = () => {
        at += 4
        return data.readUInt32LE(at - 4)
      }
      const text = (length: number) => {
        const value = data.toString('utf8', at, at + length)
        at += (length + 3) & ~3
        return value
      }
      for (const [field, type] of Object.entries(fields)) {
        if (type === 'u32') op[field] = u32()
        else if (type === 'u64' || type === 'exact64') op[field] = u32() + u32() * 2 ** 32
        else if (type === 'string') op[field] = text(u32() + 1).slice(0, -1)
        else if (type === 'numbers') op[field] = Array.from({ length: u32() }, u32)
        else {
          const count = u32()
          const all = text(u32())
          op[field] = count === 0 ? [] : all.split('\0').slice(0, -1)
          expect((op[field] as string[]).length).toBe(count)
        }
      }
      expect(at).toBe(end)
      list.push(op)
    }
    return list
  }
  return { outer: section(16, 16 + outer), inner: section(16 + outer, data.length) }
}

const bare = (program: Program) =>
  JSON.parse(JSON.stringify(program, (key, value) => (key === 'origin' ? undefined : value)))

test('a program reads back as it was written', () => {
  const program = compilePlan(plan(hybrid, { limits: { memory: '50M', pids: 9 }, hostname: 'x', isolate: 'all' }))
  expect(decode(encodeProgram(program))).toEqual(bare(program))
})

test('texts of all kinds, many and long, read back', () => {
  const text = string({ unit: 'binary' }).map((value) => Buffer.from(value.replaceAll('\0', '')).toString())
  assert(
    property(
      array(text),
      array(text),
      text,
      array(integer({ min: 0, max: 0xffff_ffff })),
      tuple(integer({ min: 0 }), integer({ min: 0, max: 2 ** 21 })),
      (argv, env, path, groups, [low, high]) => {
        const inner: Op[] = [
          { op: 'setUser', uid: 1, gid: 2, groups, keepGroups: 0, keepCapabilities: 1, origin: 'x' },
          { op: 'unshare', flags: high * 2 ** 32 + low, origin: 'x' },
          { op: 'exec', argv: [...argv, 'y'.repeat(argv.length * 30_000)], env, path, reap: 1, origin: 'x' },
        ]
        expect(decode(encodeProgram({ outer: [], inner }))).toEqual(bare({ outer: [], inner }))
      },
    ),
    { numRuns: 200 },
  )
})

test('figures are told apart by their step, and missing ones are missing', () => {
  const entry = (step: number, length: number, text = '') => {
    const head = Buffer.alloc(8)
    head.writeUInt32LE(step)
    head.writeInt32LE(length, 4)
    return [head, Buffer.from(text.padEnd((text.length + 3) & ~3, '\0'))]
  }
  const bytes = Buffer.concat([...entry(3, 5, 'max 0'), ...entry(4, -2), ...entry(9, 0), ...entry(11, 4, '1234')])
  expect([...decodeFigures(bytes)]).toEqual([
    [3, 'max 0'],
    [9, ''],
    [11, '1234'],
  ])
  expect([...decodeFigures(undefined)]).toEqual([])
})

test('every op is explained in words', () => {
  const program = compilePlan(
    plan(
      hybrid,
      { limits: { memory: '50M', oomGroup: true }, hostname: 'x', workdir: '/w', isolate: 'all' },
      {},
      { user: { uid: 1, gid: 1, groups: [] } },
    ),
  )
  const steps = explainProgram(program)
  expect(steps.filter((step) => step.words === '')).toEqual([])
  expect(steps.filter((step) => step.section === 'inner').map((step) => step.shell)).toEqual([
    'echo 0 > /cg/memory/hutch-42-777-4026531836-1/tasks',
    'echo 0 > /cg/pids/hutch-42-777-4026531836-1/tasks',
    'unshare --cgroup …',
    'mount --make-rprivate /',
    'mount -t proc -o nosuid,nodev,noexec proc /proc',
    'hostname x',
    'ip link set lo up',
    'setpriv --reuid 1 --regid 1 --clear-groups …',
    'cd /w',
    'setpriv --no-new-privs …',
    'setpriv --pdeathsig KILL …',
    "exec job 'a b'",
  ])
})

test('a quoted word reaches a command as it was', () => {
  const text = string({ minLength: 1 }).map((value) => Buffer.from(value.replaceAll('\0', ' ')).toString())
  assert(
    property(text, (word) => execFileSync('sh', ['-c', `printf %s ${shellWord(word)}`], { encoding: 'utf8' }) === word),
    { numRuns: 50 },
  )
})
