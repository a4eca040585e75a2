// SPDX-License-Identifier: Apache-2.0
// The whole tour: as root, as a user without any rights, and as one to whom a group was delegated.
import { mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { leafName, readHost } from '../../src/host/host.ts'
import { Cgroup } from '../../src/index.ts'
import { hutchAs } from '../support/anyone.ts'
import { requires } from '../support/requires.ts'
import { hutch } from './hutch.ts'

const user = 4242

test('the tour passes, and removes the directory of one that was killed', async () => {
  const { pid, pidNamespace } = readHost().owner
  const place = mkdtempSync(`${tmpdir()}/hutch-test-tour-`)
  const [dead, live] = [4194305, pid].map((owner) => `hutch-tour-${owner}-${pidNamespace}-AbCdEf`)
  for (const name of [dead, live]) mkdirSync(`${place}/${name}`)
  const { status, stdout } = await hutch(['tour'], { env: { ...process.env, TMPDIR: place } })
  const left = readdirSync(place)
  rmSync(place, { recursive: true })
  expect(left).toEqual([live])
  expect(stdout).not.toContain('✗')
  expect(stdout).toMatch(/All checks passed(, 1 experiment was skipped)?\.\n$/)
  expect(status).toBe(0)
})

test('without root and delegation, what takes no limits passes, and the rest says what is missing, with --json as data', async (context) => {
  requires(context, 'root')
  const { status, stdout, stderr } = await (await hutchAs(user, ['tour', '--json'])).ended
  const outcomes = JSON.parse(stdout) as { title: string; skipped?: string; checks: { passed: boolean }[] }[]
  for (const { title, skipped, checks } of outcomes) {
    expect(
      checks.every(({ passed }) => passed),
      title + stderr,
    ).toBe(true)
    expect(checks.length > 0, title).toBe(skipped === undefined)
  }
  const skipped = outcomes.flatMap((outcome) => outcome.skipped ?? [])
  expect(skipped).toHaveLength(4)
  const refused = skipped.filter((why) => /cannot make a group for .*: user 4242 cannot create groups there/.test(why))
  // pure v1 has no --oom-group, whoever asks for it
  expect(refused).toHaveLength(readHost().unified ? 4 : 3)
  for (const why of refused) expect(why).toContain('remedy: run as root, or in a delegated group')
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
})

test('in a delegated group, every experiment passes without root', async (context) => {
  requires(context, 'root', 'v2')
  const group = await Cgroup.create(`hutch-test-${process.pid}-tour`)
  const leaf = `${group.directories['']}/${leafName}`
  mkdirSync(leaf)
  try {
    await group.delegate(user, user)
    const enter = ['sh', '-c', 'echo $$ > "$0/cgroup.procs" && exec "$@"', leaf]
    const { status, stdout } = await (await hutchAs(user, ['tour'], enter)).ended
    expect(stdout).not.toContain('✗')
    expect(stdout).toMatch(/All checks passed\.\n$/)
    expect(status).toBe(0)
  } finally {
    rmdirSync(leaf)
    await group.remove()
  }
})
