// SPDX-License-Identifier: Apache-2.0
// hutch generate: each program accepts the printed configuration, and finds the runtime in it.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hutch } from '../cli/hutch.ts'
import { runtimes } from './runtimes.ts'
import { openSession, type Session } from './session.ts'

const runtime = runtimes.at(-1)!
let session: Session

beforeAll(async () => {
  session = await openSession('podman', runtime)
}, 300_000)
afterAll(() => session?.close())

/** What hutch prints for a program, with the runtime of the session. */
async function generated(name: string, ...more: string[]): Promise<string> {
  const { status, stdout, stderr } = await hutch(['generate', name, '--runtime', session.program, ...more])
  expect([status, stderr]).toEqual([0, ''])
  return stdout
}

test('podman info names the runtime', async () => {
  session.write('/etc/containers/containers.conf.d/hutch.conf', await generated('podman'))
  const info = await session.output([
    'podman',
    'info',
    '--format',
    '{{.Host.OCIRuntime.Name}} {{.Host.OCIRuntime.Path}}',
  ])
  expect(info).toBe(`${runtime.name} ${session.program}`)
})

test('dockerd --validate accepts daemon.json', async (context) => {
  session.write('/tmp/daemon.json', await generated('docker'))
  const help = await session.run(['dockerd', '--help'])
  if (!help.stdout.includes('--validate')) context.skip('this dockerd has no --validate')
  const { status, stderr } = await session.run(['dockerd', '--validate', '--config-file', '/tmp/daemon.json'])
  expect([status, stderr]).toEqual([0, expect.stringContaining('configuration OK')])
})

test.for(['2', '3'])('containerd reads format %s, and its CRI plugin has both runtimes', async (version, context) => {
  const file = `/tmp/containerd-${version}.toml`
  session.write(file, await generated('containerd', '--config-version', version, '--systemd-cgroup'))
  const release = await session.output(['containerd', '--version'])
  // it ignores the sections of a newer format
  if (version === '3' && / v?1\./.test(release)) context.skip('containerd 1.x does not know format 3')
  const { status, stdout } = await session.run(['containerd', '-c', file, 'config', 'dump'])
  expect([status, stdout]).toEqual([0, expect.stringContaining('runtimes.hutch.options]')])
  expect(stdout).toMatch(new RegExp(`BinaryName = ['"]${session.program}['"]`))
})

test('containerd starts with format 2, and loads its CRI plugin', async () => {
  session.write('/etc/containerd/config.toml', await generated('containerd'))
  await session.daemon(['containerd'], ['ctr', 'version'])
  const plugins = await session.output(['ctr', 'plugins', 'ls'])
  expect(plugins).toMatch(/^io\.containerd\.(grpc\.v1 +cri|cri\.v1 +runtime) +\S+ +ok *$/m)
})
