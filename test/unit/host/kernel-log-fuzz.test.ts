// SPDX-License-Identifier: Apache-2.0
// Random records of the kernel log: names in them are chosen by processes and by whoever makes groups.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isTelling, parseEvents, parseRecord } from '../../../src/host/kernel-record.ts'

/** Seconds of fuzzing: npm run test:kernels gives 300. */
const seconds = Number(process.env.HUTCH_FUZZ_SECONDS ?? 5)

/** Pieces of real records, in which a hostile name can put any other piece. */
const pieces = [
  'Memory cgroup out of memory: Killed process 7 (',
  ') total-vm:1kB, anon-rss:2kB, file-rss:3kB, shmem-rss:4kB, UID:0 pgtables:5kB oom_score_adj:-6',
  'oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,task_memcg=/a/b,task=x,pid=7,uid=0',
  'x invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0',
  'memory: usage 51200kB, limit 51200kB, failcnt 99',
  'Tasks in /a are going to be killed due to memory.oom.group set',
  'cgroup: fork rejected by pids controller in /a/b',
  'x[7]: segfault at 0 ip 0 sp 0 error 4 in x[0+1]',
  'traps: x[7] trap invalid opcode ip:0 sp:0 error:0 in x[0+1]',
  ',task_memcg=/',
  ',pid=8,uid=0',
  '\\x0a',
  '\\x5c',
  '\\xff',
  '\n',
  '[8]: segfault ',
]

const piece = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...pieces) },
  { weight: 1, arbitrary: fc.string({ maxLength: 30 }) },
)
const text = fc.array(piece, { maxLength: 8 }).map((parts) => parts.join(''))
const line = fc
  .tuple(fc.nat(9000), fc.nat(), fc.nat(), text)
  .map(([prefix, number, usec, body]) => `${prefix},${number},${usec},-;${body}\n SUBSYSTEM=x\n`)

test(
  'random records never break the reader, and tell of no more events than there are records',
  () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(line, fc.string()), { maxLength: 12 }), (lines) => {
        const records = lines.flatMap((one) => parseRecord(one, 1000) ?? [])
        for (const record of records) expect(Number.isFinite(record.at)).toBe(true)
        const { kills, faults, forkRefusals } = parseEvents(records.filter((record) => isTelling(record.text)))
        expect(kills.length + faults.length + forkRefusals.length).toBeLessThanOrEqual(records.length)
        for (const kill of kills) {
          expect(Number.isSafeInteger(kill.pid)).toBe(true)
          for (const path of [kill.group, kill.limitGroup])
            if (path !== undefined) expect(path.startsWith('/')).toBe(true)
        }
      }),
      { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: seconds * 1000, markInterruptAsFailure: false },
    )
  },
  (seconds + 60) * 1000,
)

test('a record as long as the kernel lets one be is read in less than a second', () => {
  for (const body of pieces) {
    const started = performance.now()
    const records = [parseRecord(`6,1,1,-;${body.repeat(8192 / body.length)}`, 0)!]
    parseEvents(records)
    expect(performance.now() - started).toBeLessThan(1000)
  }
})
