// SPDX-License-Identifier: Apache-2.0
// Networks by the library, many at once and stopped on the way; and what an image may do to the file of its name servers.
// In a VM only in `npm run test:kernels`.
import { copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, type TestContext, test } from 'vitest'
import { makeImage, workplace } from '../../support/image.ts'
import '../../support/leaks.ts'
import { hutchArgs, hutchFile } from '../../support/command.ts'
import { address, ask, type Ground, networkGround, port } from '../../support/network-ground.ts'
import { requires } from '../../support/requires.ts'

const place = workplace()
let ground: Ground | undefined

beforeAll(async () => {
  try {
    ground = await networkGround()
  } catch {
    // each test says what it needs
  }
})
afterAll(async () => {
  await ground?.remove()
  place.remove()
})

/** What this prints, run as a module on the test's own host. */
async function script(context: TestContext, body: string): Promise<unknown> {
  requires(context, 'root', 'unshare(1)', 'ip(8)', 'a tun device', 'pasta(1)')
  const text = `
    import { readdirSync, readFileSync } from 'node:fs'
    import { run, start } from '${process.cwd()}/dist/index.js'
    const ask = ${JSON.stringify(ask(address.peer, port.peer))}
    const network = { network: 'private' }
    const print = (value) => console.log(JSON.stringify(value))
    ${body}`
  const { stdout, stderr } = await ground!.run(process.execPath, '--input-type=module', '--eval', text)
  expect(stderr).toBe('')
  return JSON.parse(stdout) as unknown
}

// each has a timeout for what it asks, and a processor without KVM is slow
const many = process.env.VM ? 4 : 20

test(`${many} at once are all connected, and no descriptor is left`, async (context) => {
  const body = `
    const fds = () => readdirSync('/proc/self/fd').length
    const all = () => Promise.all(Array.from({ length: ${many} }, () => run('bash', ['-c', ask], network)))
    await all()
    await new Promise((resolve) => setTimeout(resolve, 200))
    const before = fds()
    const texts = (await all()).map((result) => result.stdout)
    for (let tries = 0; tries < 200 && fds() > before; tries++) await new Promise((resolve) => setTimeout(resolve, 50))
    print({ texts: [...new Set(texts)], more: Math.max(0, fds() - before) })`
  expect(await script(context, body)).toEqual({ texts: [`you are ${address.host}\n`], more: 0 })
})

test('one that is stopped before it is connected ends at once, by any way of stopping', async (context) => {
  const body = `
    const ended = async (act, options) => {
      const job = await start('sleep', ['20'], { ...network, killAfter: 15_000, ...options })
      // it waits once it has its signals blocked; on a busy machine that may be over before we look
      const waits = () => !/SigBlk:\\s+0+$/m.test(readFileSync('/proc/' + job.pid + '/status', 'utf8'))
      const runs = () => readFileSync('/proc/' + job.pid + '/comm', 'utf8') === 'sleep\\n'
      while (!waits() && !runs()) await new Promise((resolve) => setTimeout(resolve, 1))
      act(job)
      const { reason, signal, durationMs } = await job.result
      return [reason, signal, durationMs < 10_000]
    }
    const abort = new AbortController()
    print([
      await ended((job) => void job.stop()),
      await ended((job) => job.kill('SIGTERM')),
      await ended((job) => job.kill('SIGKILL')),
      await ended(() => abort.abort(), { signal: abort.signal }),
      await ended((job) => void job.stop(), { init: false, isolate: ['net', 'mount'] }),
    ])`
  expect(await script(context, body)).toEqual([
    ['aborted', 'SIGTERM', true],
    ['signal', 'SIGTERM', true],
    ['signal', 'SIGKILL', true],
    ['aborted', 'SIGTERM', true],
    ['aborted', 'SIGTERM', true],
  ])
})

test('what fails inside is told before what fails outside', async (context) => {
  const body = `print(await run('true', [], { ...network, rootfs: '/no/such' }).catch((error) => error.code))`
  expect(await script(context, body)).toBe('MOUNT_REFUSED')
})

test('a tool that is not there is told, with its package', async (context) => {
  requires(context, 'root', 'unshare(1)', 'ip(8)')
  const copy = `${place.path}/program`
  copyFileSync(hutchFile, copy)
  const hide = 'mount -t tmpfs none /usr/sbin; mount -t tmpfs none /usr/bin; exec "$@"'
  const words = ['--mount', 'sh', '-c', hide, '-', copy, ...hutchArgs, 'run', '--network', 'private', '--', 'true']
  expect(await ground!.run('unshare', ...words)).toEqual({
    status: 125,
    stdout: '',
    stderr:
      'hutch: cannot connect a private network: neither pasta nor slirp4netns is installed\n  remedy: apt-get install passt\n',
  })
})

test('an image cannot lead the file of its name servers out of itself', async (context) => {
  requires(context, 'busybox')
  const image = makeImage(`${place.path}/image`)
  const outside = `${place.path}/outside`
  const at = `${image}/etc/resolv.conf`
  const look = `
    const look = () =>
      run('sh', ['-c', 'cat /etc/resolv.conf 2>/dev/null; grep -c resolv.conf /proc/self/mountinfo'], {
        rootfs: '${image}', ...network,
      }).then(({ stdout }) => stdout, ({ code, path }) => [code, path])
    print(await look())`
  writeFileSync(outside, 'untouched\n')
  // what it leads to is meant inside, where it does not exist: it is made there
  symlinkSync(outside, at)
  expect(await script(context, look)).toMatch(/^nameserver [\d.]+\n0\n$/)
  expect(readFileSync(outside, 'utf8')).toBe('untouched\n')
  rmSync(at)
  symlinkSync('/proc/self/fd/40', at)
  expect(await script(context, look)).not.toContain('nameserver')
  rmSync(at)
  mkdirSync(at)
  expect(await script(context, look)).toEqual(['MOUNT_REFUSED', '/etc/resolv.conf'])
  rmSync(at, { recursive: true })
  // the control
  expect(await script(context, look)).toMatch(/^nameserver 169\.254\.1\.1\n[\s\S]*1\n$/)
})
