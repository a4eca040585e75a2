// SPDX-License-Identifier: Apache-2.0
// A root that is put together half: the set-up is stopped before each of its steps in turn, and nothing is left of it.
// In a VM only in `npm run test:kernels`.
import { afterAll, expect, test } from 'vitest'
import { encodeProgram } from '../../../src/ops/wire.ts'
import { parseOptions } from '../../../src/options/options.ts'
import { prepare } from '../../../src/run/launch.ts'
import { unwatchJob, watchedNative, watchJob } from '../../../src/system/reactor.ts'
import { hostMounts, makeImage, workplace } from '../../support/image.ts'
import { leftGroups } from '../../support/leaks.ts'
import { requires } from '../../support/requires.ts'

const { path: work, remove } = workplace()
const image = makeImage(`${work}/image`)
afterAll(remove)

const spec = () =>
  parseOptions(
    'true',
    [],
    {
      rootfs: image,
      seccomp: 'none',
      readOnly: true,
      // the step that fails must be allowed to everywhere
      capAdd: 'ALL',
      isolate: 'all',
      hostname: 'half',
      workdir: '/data',
      mounts: [
        { volume: `${image}/etc:/data` },
        { tmpfs: '/tmp' },
        { overlay: `${image}/etc:/tmp/overlay` },
        { volume: '/dev/null:/dev/mine' },
      ],
    },
    'library',
  )

/** Runs the program with a step at `at` that no kernel can do: what failed, as the parent hears it. */
function stopAt(at: number): Promise<{ step: number; errno: string; part: number }> {
  const { program } = prepare(spec())
  program.inner.splice(at, 0, {
    op: 'attachTree',
    source: '/',
    target: 'nowhere',
    attributes: 2 ** 40,
    absent: 0,
    recursive: 0,
    changes: [],
    links: 1,
    origin: 'test',
  })
  const [job, pid] = watchedNative().launch(encodeProgram(program), Int32Array.of(-1, -1, -1))
  expect([job > 0, pid > 0]).toEqual([true, true])
  return new Promise((resolve) => {
    let failed = { step: -1, errno: '', part: 0 }
    watchJob(job, (event) => {
      if (event.kind === 'failed') failed = { step: event.step, errno: event.errno, part: event.part }
      if (event.kind !== 'ended') return
      unwatchJob(job)
      resolve(failed)
    })
  })
}

test('whatever step fails, it is told which, and no mount, group or process is left', async (context) => {
  requires(context, 'root')
  const before = hostMounts()
  const steps = prepare(spec()).program.inner
  const pivot = steps.findIndex((op) => op.op === 'pivotRoot')
  expect(pivot).toBeGreaterThan(30)
  for (let at = 0; at < steps.length; at++) {
    // the third part of an op is its attributes
    expect([at, await stopAt(at)]).toEqual([at, { step: at, errno: 'EINVAL', part: 3 }])
    expect(hostMounts()).toBe(before)
  }
  // of this process: others may be at work
  expect(leftGroups().filter((group) => group.includes(`/hutch-${process.pid}-`))).toEqual([])
})
