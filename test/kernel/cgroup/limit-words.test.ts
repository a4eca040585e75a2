// SPDX-License-Identifier: Apache-2.0
// Groups take the limits of run by the same words, return typed values, and refuse what they do not know.
import { expect, test } from 'vitest'
import { Cgroup, openSampler, run, why } from '../../../src/index.ts'
import { requires } from '../../support/requires.ts'

const name = `/hutch-test-${process.pid}-words`
const refusal = async (action: () => unknown) =>
  (async () => action())().then(
    () => 'accepted',
    (error) => `${error.code} ${error.remedy}`,
  )

test('limits are set by the words of run, and read as typed values', async (context) => {
  requires(context, 'root')
  await using group = await Cgroup.create(name, { limits: { memory: '64M', pids: 20, cpus: 0.5, 'cpu.weight': 50 } })
  expect([group.get('memory'), group.get('pids'), group.get('cpus'), group.get('cpuWeight')]).toEqual([
    2 ** 26,
    20,
    0.5,
    50,
  ])
  expect(group.get('memory.max')).toBe(2 ** 26)
  await group.set({ memory: '32M', cpus: 'max' })
  await group.set('pids', 'max')
  expect([group.get('memory'), group.get('cpus'), group.get('pids')]).toEqual([2 ** 25, 'max', 'max'])
  const { limits } = await run('true', { limits: { memory: '32M' } })
  expect(limits['memory.max']).toBe(group.get('memory'))
})

test('unknown words of a group are refused, and nothing is made', async (context) => {
  requires(context, 'root')
  for (const [options, remedy] of [
    [{ limits: { memori: 5 } }, /OPTION_UNKNOWN did you mean memory\?/],
    [{ limits: { pidsLimit: 5 } }, /OPTION_UNKNOWN give pids/],
    [{ limits: { memory: 'much' } }, /OPTION_INVALID give a size/],
    [{ memory: '64M' }, /OPTION_UNKNOWN give it in limits: \{ memory/],
    [{ 'memory.max': '64M' }, /OPTION_UNKNOWN give it in files/],
    [{ timeout: 5 }, /OPTION_UNKNOWN give timeout to run/],
    [{ existOk: true }, /OPTION_UNKNOWN give mayExist/],
  ] as [object, RegExp][])
    expect(await refusal(() => Cgroup.create(name, options as never))).toMatch(remedy)
  expect(await refusal(() => Cgroup.open(name))).toContain('CGROUP_NOT_FOUND')
  await using group = await Cgroup.create(name)
  expect(await refusal(() => group.set({ memory: '64M', swapp: 1 } as never))).toMatch(/did you mean swap/)
  expect(group.get('memory')).toBe('max')
  expect(await refusal(() => group.set('memory.max', '64M', { forced: true } as never))).toMatch(/did you mean force\?/)
  expect(await refusal(() => group.remove({ recursively: true } as never))).toMatch(/recursive/)
  expect(await refusal(() => group.events({ interval: 5 } as never).next())).toMatch(/OPTION_UNKNOWN/)
})

test('why and openSampler refuse options by name', async () => {
  expect(await refusal(() => why({ pid: 5 } as never))).toMatch(/OPTION_UNKNOWN give a process id/)
  expect(await refusal(() => why(null as never))).toMatch(/OPTION_INVALID/)
  expect(await refusal(() => openSampler({ interval: 5 } as never))).toMatch(/OPTION_UNKNOWN .*call sample/)
})
