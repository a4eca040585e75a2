// SPDX-License-Identifier: Apache-2.0
// How the command of a container is scheduled, and its root where pivot_root(2) is impossible.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterEach, expect, test } from 'vitest'
import { create, endCreated } from '../support/creator.ts'
import { killsHutches } from '../support/leaks.ts'
import { requires } from '../support/requires.ts'

killsHutches()
afterEach(endCreated)

const bind = (path: string) => {
  return { type: 'bind', source: path, target: path, flags: 0, data: [], recursive: true, origin: 'mounts' }
}

test('the command is scheduled as batch with nice 5, and allocates memory on node 0', async (context) => {
  requires(context, 'root')
  const one = await create(['sh', '-c', 'cut -d " " -f 19,41 /proc/self/stat; grep -c "bind:0" /proc/self/numa_maps'], {
    container: {
      schedulerAttributes: { policy: 3, flags: 0, nice: 5, priority: 0, runtime: 0, deadline: 0, period: 0 },
      ...(existsSync('/proc/self/numa_maps') && { memoryPolicy: { mode: 2, nodes: [0] } }),
    },
    waits: false,
  })
  await one.next({ kind: 'ended' })
  const [scheduled, maps] = one.read().split('\n')
  expect([scheduled, one.events.filter(({ kind }) => kind === 'failed')]).toEqual(['5 3', []])
  if (existsSync('/proc/self/numa_maps')) expect(Number(maps)).toBeGreaterThan(0)
})

test.for(['pivot', 'move'] as const)(
  'the root of the container is its own with %s, and a relative way out leads nowhere',
  async (rootChange, context) => {
    requires(context, 'root')
    const directory = mkdtempSync(`${tmpdir()}/hutch-root-`)
    mkdirSync(`${directory}/inner`)
    const one = await create(['sh', '-c', 'ls -d /inner /tmp; cd ..; cd ..; pwd'], {
      options: { isolate: ['pid', 'mount'] },
      inputs: {
        workdir: '/made/deep',
        root: {
          directory,
          readOnly: false,
          dev: false,
          standard: false,
          devices: [],
          workdir: '/made/deep',
          mounts: ['/usr', '/bin', '/lib', '/lib64'].filter((path) => existsSync(path)).map(bind),
        },
      },
      container: { rootChange },
      waits: false,
    })
    await one.next({ kind: 'ended' })
    expect([one.read().replace(/.*tmp.*\n/, ''), one.events.filter(({ kind }) => kind === 'failed')]).toEqual([
      '/inner\n/\n',
      [],
    ])
    rmSync(directory, { recursive: true })
  },
)
