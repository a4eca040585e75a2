// SPDX-License-Identifier: Apache-2.0
// Buildah over each runtime: run in a working container, and builds.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildLimits, busybox, busyboxArchive, writeImages } from './images.ts'
import { runtimes } from './runtimes.ts'
import { openSession, type RunOptions, type Session } from './session.ts'

describe.each(runtimes)('buildah over $name', (runtime) => {
  let session: Session
  const buildah = (words: string, more: string[] = [], options: RunOptions = {}) =>
    session.run(['buildah', ...words.split(' '), ...more], options)
  const output = (words: string, ...more: string[]) => session.output(['buildah', ...words.split(' '), ...more])
  const run = (flags: string, script: string, options?: RunOptions) =>
    buildah(
      `run --runtime ${session.program} --isolation oci --network none ${flags} work -- sh -c`.replace('  ', ' '),
      [script],
      options,
    )
  beforeAll(async () => {
    session = await openSession('buildah', runtime)
    writeImages(session)
    session.write('/session/shared/file', 'shared\n')
    await output(`pull -q oci-archive:${busyboxArchive}`)
    await output(`from ${buildLimits} --name work ${busybox}`)
  }, 300_000)
  afterAll(() => session.close())

  test('output and status', async () => {
    const outcome = await run('', 'echo out; echo err >&2; exit 7')
    expect(outcome).toMatchObject({ status: 7, stdout: 'out\n', stderr: expect.stringMatching(/^err\n/) })
  })

  test('stdin, and a terminal', async () => {
    expect((await run('', 'cat', { input: 'in' })).stdout).toBe('in')
    const terminal = await run('--terminal', 'tty', { terminal: true })
    expect([terminal.status, terminal.stdout]).toEqual([0, '/dev/pts/0\r\n'])
  })

  test('user, directory, environment, host name, capabilities, a volume', async () => {
    const flags = '--user worker --workingdir /tmp -e A=b --hostname inner -v /session/shared:/shared:ro'
    const { stdout } = await run(flags, 'id -un; pwd; echo $A; hostname; cat /shared/file')
    expect(stdout).toBe('worker\n/tmp\nb\ninner\nshared\n')
    const drop = '--cap-add CAP_NET_ADMIN --cap-drop CAP_KILL'
    expect((await run(drop, 'grep CapEff /proc/self/status')).stdout).toMatch(/^CapEff:\t[0-9a-f]+\n$/)
  })

  test('what a run writes stays in the working container', async () => {
    await run('', 'echo kept >/data/kept')
    expect((await run('', 'cat /data/kept')).stdout).toBe('kept\n')
  })

  test('a missing program', async () => {
    const { status, stderr } = await buildah(
      `run --runtime ${session.program} --isolation oci --network none work /missing`,
    )
    expect([status, stderr]).toEqual([1, expect.stringContaining('no such file or directory')])
  })

  test('bud, with limits', async () => {
    const group = 'cat /proc/self/cgroup'
    const file = `FROM ${busybox}\nRUN ${group} && ulimit -n && echo built >/data/built\nUSER worker\nRUN id -un >/tmp/who\n`
    session.write('/session/build/Containerfile', file)
    const build = `bud --runtime ${session.program} --isolation oci --network none ${buildLimits} --memory 64m --cpu-shares 512 -t local/built`
    const { status, stdout } = await buildah(`${build} /session/build`)
    expect([status, stdout]).toEqual([0, expect.stringMatching(/\n500\n/)])
    const made = await output(`from ${buildLimits} local/built`)
    const words = [
      'buildah',
      'run',
      '--runtime',
      session.program,
      '--isolation',
      'oci',
      '--network',
      'none',
      made,
      'cat',
    ]
    expect(await session.output([...words, '/data/built', '/tmp/who'])).toBe('built\nworker')
    session.write('/session/build/Containerfile', `FROM ${busybox}\nRUN exit 6\n`)
    expect((await buildah(`${build} /session/build`)).status).toBe(6)
  })
})
