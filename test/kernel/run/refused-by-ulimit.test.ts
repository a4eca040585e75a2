// SPDX-License-Identifier: Apache-2.0
// A start that one of the job's own resource limits stops names that option, through every front end that has it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { run } from '../../../src/index.ts'
import { collect, hutch } from '../../cli/hutch.ts'
import { requires } from '../../support/requires.ts'

const work = mkdtempSync(`${tmpdir()}/hutch-ulimit-`)
afterAll(() => rmSync(work, { recursive: true, force: true }))
beforeEach((context) => requires(context, 'root'))

interface Case {
  ulimit: string
  options?: string[]
  errno: string
}

const unprivileged = ['--user', '12345']
const cases: Case[] = [
  { ulimit: 'as=100', errno: 'ENOMEM' },
  { ulimit: 'as=100', options: ['--sandbox'], errno: 'ENOMEM' },
  { ulimit: 'data=100', errno: 'ENOMEM' },
  { ulimit: 'nproc=0', options: unprivileged, errno: 'EAGAIN' },
  { ulimit: 'nofile=0', errno: 'EINVAL' },
  { ulimit: 'nofile=0', options: ['--landlock', '/:rx'], errno: 'EMFILE' },
]
const title = ({ ulimit, options = [] }: Case) => [ulimit, ...options].join(' ')

test.each(cases.map((one) => [title(one), one] as const))(
  '%s: run and a compiled file name the option',
  async (_, { ulimit, options = [], errno }) => {
    const words = [...options, '--ulimit', ulimit, '--', 'true']
    const option = `--ulimit ${ulimit.split('=')[0]}`
    const ran = await hutch(['run', ...words])
    expect(ran.status).toBe(125)
    for (const text of [errno, `${option} is ${ulimit.split('=')[1]}`]) expect(ran.stderr).toContain(text)
    expect(ran.stderr).toMatch(new RegExp(`remedy: raise .*${option}\\b`))
    const file = `${work}/compiled`
    expect(await hutch(['compile', '--output', file, ...words])).toMatchObject({ status: 0 })
    const compiled = await collect(file, [])
    expect(compiled.status).toBeGreaterThan(124)
    for (const text of [errno, `${option} is ${ulimit.split('=')[1]}`, `raise ${option}\n`])
      expect(compiled.stderr).toContain(text)
  },
)

test('the library names its own option, and each limit that can be the cause', async () => {
  const job = run('true', [], { ulimits: { as: 100, data: 200 } })
  await expect(job).rejects.toMatchObject({
    code: 'STEP_REFUSED',
    errno: 'ENOMEM',
    evidence: expect.arrayContaining(['ulimits.as is 100, ulimits.data is 200']),
    remedy: 'raise ulimits.as, or raise ulimits.data',
  })
})

test('control: limits with room stop nothing', async () => {
  const words = ['--ulimit', 'as=1G', '--ulimit', 'data=1G', '--ulimit', 'nproc=500', '--ulimit', 'nofile=64']
  expect(await hutch(['run', ...words, '--', 'true'])).toMatchObject({ status: 0, stderr: '' })
})
