// SPDX-License-Identifier: Apache-2.0
// A recording of a few megabytes that stands for gigabytes is refused, within bounds of memory and time.
// In a VM only in `npm run test:kernels`.
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import sqlite from 'node-sqlite3-wasm'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { encodeBlock } from '../../src/monitor/recording/column-codec.ts'
import { openRecorder } from '../../src/monitor/recording/recorder.ts'
import type { GroupSample } from '../../src/monitor/sample.ts'
import { cli } from '../support/command.ts'
import { requires } from '../support/requires.ts'
import { collect } from './hutch.ts'

beforeEach((context) => requires(context, 'hutch for Node'))

const place = mkdtempSync(`${tmpdir()}/hutch-record-hostile-`)
afterAll(() => rmSync(place, { recursive: true }))

const looks = 60
const sample = (memory: number, devices: number) => {
  const io = Object.fromEntries(Array.from({ length: devices }, (_, i) => [`d${i}`, { readBytes: memory }]))
  return { memory, populated: true, io } as unknown as GroupSample
}

/** A recording in which many groups have many devices, and change in each sample: each block is small, and becomes large. */
async function makeBomb(file: string, groups: number, devices: number): Promise<void> {
  const begun = Date.UTC(2026, 0, 31, 12)
  const recorder = await openRecorder(file, { interval: 1000, keep: 86_400_000, size: 2 ** 27 })
  for (let i = 0; i < looks; i++) recorder.add({ time: begun + i * 1000, groups: new Map([['/', sample(i, 1)]]) })
  recorder.close()
  const db = new sqlite.Database(file)
  db.exec('PRAGMA locking_mode=exclusive')
  const [span] = db.all('SELECT id, times FROM spans')
  const block = encodeBlock(Array.from({ length: looks }, (_, i) => sample(i % 2, devices)))
  db.exec('BEGIN')
  for (let i = 0; i < groups; i++) {
    db.run('INSERT INTO groups (path) VALUES (?)', [`/g${i}`])
    db.run('INSERT INTO blocks (span, member, samples) SELECT ?, id, ? FROM groups WHERE path = ?', [
      span!.id as number,
      block,
      `/g${i}`,
    ])
  }
  db.exec('COMMIT')
  db.close()
}

async function replay(file: string) {
  const measured = `${place}/measured.cjs`
  const atExit = "process.on('exit', () => console.error('KiB', process.resourceUsage().maxRSS))"
  writeFileSync(measured, `${atExit}; require(${JSON.stringify(cli)})`)
  const before = performance.now()
  const { status, stderr } = await collect(process.execPath, [measured, 'replay', file, '--at', '-1s'])
  return { status, stderr, kib: Number(/KiB (\d+)/.exec(stderr)?.[1]), ms: performance.now() - before }
}

test('a small file that stands for gigabytes is refused; one of usual groups is read', async (context) => {
  requires(context, 'not a VM')
  await makeBomb(`${place}/usual.db`, 100, 2)
  await makeBomb(`${place}/bomb.db`, 3000, 500)
  const intact = await replay(`${place}/usual.db`)
  expect(intact).toMatchObject({ status: 0 })
  const bomb = await replay(`${place}/bomb.db`)
  expect(statSync(`${place}/bomb.db`).size).toBeGreaterThan(2 ** 22)
  expect(bomb).toMatchObject({ status: 125, stderr: expect.stringContaining('figures to be read at once') })
  expect(bomb.kib - intact.kib).toBeLessThan(160 * 1024)
  expect(bomb.ms).toBeLessThan(10_000)
})
