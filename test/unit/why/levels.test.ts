// SPDX-License-Identifier: Apache-2.0
// What `why` lays to a group where counts of other levels, or peaks of v1, allow more than one explanation.
import { expect, test } from 'vitest'
import { decideAll, foundRows, noFacts } from '../../../src/verdict/decide.ts'
import { cpuFacts, cpuStallCauses } from '../../../src/why/cpu-stall.ts'
import { refusedAbove, taskCauses } from '../../../src/why/fork-limits.ts'
import { memoryCauses } from '../../../src/why/memory.ts'

const level = (path: string, more: object = {}) => ({ path, directory: `/cg${path}`, ...more })

test('forks that a group above refused are not laid to a group of which neither a count nor the log tells', () => {
  const levels = [level('/a/b', { denied: 0, deniedHere: 0 }), level('/a', { max: '9', denied: 4, deniedHere: 4 })]
  const facts = { name: '/a/b', levels, below: [] }
  expect(taskCauses(facts)).toEqual([])
  expect(refusedAbove(facts)).toMatchObject([{ kind: 'fork-refused', confidence: 'unknown', group: '/a', count: 4 }])
  // the whole log names each group that was refused a fork: none of them is this one
  expect(refusedAbove({ ...facts, logComplete: true })).toEqual([])
  // the control: it names this one
  expect(taskCauses({ ...facts, firstRefused: 1000 })).toMatchObject([{ whose: 'ancestor', count: 4 }])
})

test('two groups at their limits on v1: whose limit killed is uncertain without the log', () => {
  const facts = { name: '/a/b', path: '/a/b', below: [], kills: [] }
  const levels = [level('/a/b', { kills: 1, full: true }), level('/a', { full: true })]
  expect(memoryCauses({ ...facts, levels })).toMatchObject([
    { kind: 'oom', confidence: 'unknown', wouldTell: expect.stringContaining('/a was at its limit, too') },
  ])
  // the control: the log names the group
  const kill = { at: 1, pid: 1, name: 'x', for: 'group', limitGroup: '/a', group: '/a/b' } as const
  const kills = [{ ...kill, virtual: 0, anon: 0, file: 0, shmem: 0 }]
  expect(memoryCauses({ ...facts, levels, kills })).toMatchObject([{ whose: 'ancestor', confidence: 'certain' }])
})

test('memory that was out with nothing to kill is told', () => {
  const facts = { name: '/a', path: '/a', below: [], kills: [] }
  expect(memoryCauses({ ...facts, levels: [level('/a', { kills: 0, ooms: 2, max: '8388608' })] })).toMatchObject([
    { kind: 'oom', whose: 'own', count: 0, headline: 'out of memory (OOM) in /a, and no process could be killed' },
  ])
})

test('a group whose tasks wait for a CPU is reported, with and without a cpuset', () => {
  const pressure = (avg10: number, avg60: number) => ({
    cpu: `some avg10=${avg10}.00 avg60=${avg60}.00 avg300=0.00 total=9000000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n`,
  })
  const cpuset = { path: '/a', directory: '/cg/a', cpus: '0', count: 1, own: true }
  const kinds = (chain: Parameters<typeof cpuFacts>[0]) => [
    ...decideAll(foundRows, { ...noFacts(), ...cpuFacts(chain, 2) }).keys(),
  ]
  expect(kinds({ pressure: pressure(12, 3), cpuset })).toEqual(['slowed'])
  expect(kinds({ pressure: pressure(12, 40) })).toEqual(['slowed'])
  // below the threshold; all CPUs of the host; no pressure files; cpu.max throttles
  expect(kinds({ pressure: pressure(12, 3) })).toEqual([])
  expect(kinds({ pressure: pressure(12, 3), cpuset: { ...cpuset, cpus: '0-1', count: 2 } })).toEqual([])
  expect(kinds({ pressure: {}, cpuset })).toEqual([])
  const facts = { ...noFacts(), ...cpuFacts({ pressure: pressure(90, 90), cpuset }, 2), throttledPeriods: 1 }
  expect([...decideAll(foundRows, facts).keys()]).toEqual(['throttled'])
  expect(cpuStallCauses('/a/b', { pressure: pressure(12, 40), cpuset: { ...cpuset, own: false } }, 2)).toMatchObject([
    {
      limit: 'cpuset.cpus',
      whose: 'ancestor',
      group: '/a',
      headline:
        'at least one task of /a/b waited for a CPU in 40 % of the last 60 s: cpuset.cpus of /a allows 1 of 2 CPUs',
      remedy: 'allow more CPUs: hutch cgroup set /a cpuset.cpus=0-1; or run no more than 1 thread',
    },
  ])
  expect(cpuStallCauses('/a', { pressure: pressure(12, 40) }, 2)).toMatchObject([{ limit: 'cpu.pressure' }])
})
