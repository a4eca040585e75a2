// SPDX-License-Identifier: Apache-2.0
// hutch run --network and --publish, in a network that the test made: who reaches what, with root and without, and what is left.
// In a VM only in `npm run test:kernels`.

import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, type TestContext, test } from 'vitest'
import { beginAs, runAs } from '../support/anyone.ts'
import { hutchCommand } from '../support/command.ts'
import { makeImage, workplace } from '../support/image.ts'
import { killsHutches } from '../support/leaks.ts'
import { address, ask, type Ground, networkGround, port } from '../support/network-ground.ts'
import { requires } from '../support/requires.ts'
import { begin } from './hutch.ts'

killsHutches()

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

const tools = ['pasta', 'slirp4netns'] as const
const needs = { pasta: 'pasta(1)', slirp4netns: 'slirp4netns(1)' } as const
const anybody = 23_456
const hutchWords = [...hutchCommand, 'run', '--quiet']

function needsGround(
  context: TestContext,
  ...more: Parameters<typeof requires> extends [unknown, ...infer R] ? R : []
) {
  requires(context, 'root', 'unshare(1)', 'ip(8)', 'a tun device', ...more)
  return ground!
}

const run = (host: Ground, ...args: string[]) => host.run(hutchWords[0]!, ...hutchWords.slice(1), ...args)

/** Command lines of what runs now, one per line. */
async function running(name: string): Promise<string> {
  const { stdout } = await ground!.run('ps', '-eo', 'pid,stat,args')
  return stdout
    .split('\n')
    .filter((line) => line.includes(`/usr/bin/${name} --`) && !/^\s*\d+ Z/.test(line))
    .join('\n')
}

for (const tool of tools) {
  const network = `private:${tool}`

  test(`${tool}: root's job reaches the peer, and not the host's loopback`, async (context) => {
    const host = needsGround(context, needs[tool])
    const reached = await run(host, '--network', network, '--', 'bash', '-c', ask(address.peer, port.peer))
    expect(reached).toMatchObject({ status: 0, stdout: `you are ${address.host}\n`, stderr: '' })
    // the control: the same words on the host itself
    expect((await host.run('bash', '-c', ask('127.0.0.1', port.loopback))).stdout).toBe('the host\n')
    const doors = ['127.0.0.1', '10.0.2.2', address.host].map((door) => ask(door, port.loopback)).join('; ')
    const refused = await run(host, '--network', network, '--', 'bash', '-c', doors)
    expect(refused.stdout).not.toContain('the host')
  })

  test(`${tool}: a user without rights has the same`, async (context) => {
    const host = needsGround(context, needs[tool])
    const args = ['--network', network, '--', 'bash', '-c', `id -u; ${ask(address.peer, port.peer)}`]
    expect(await runAs(anybody, args, host.before)).toMatchObject({
      status: 0,
      stdout: `${anybody}\nyou are ${address.host}\n`,
      stderr: '',
    })
    const doors = ['127.0.0.1', '10.0.2.2', address.host].map((door) => ask(door, port.loopback)).join('; ')
    expect((await runAs(anybody, ['--network', network, '--', 'bash', '-c', doors], host.before)).stdout).not.toContain(
      'the host',
    )
  })

  test(`${tool}: a published port leads inside, at its address alone, and the tool ends with the job`, async (context) => {
    const host = needsGround(context, needs[tool])
    const serve = `require('net').createServer(s => s.end('inside\\n')).listen(7070, '0.0.0.0')`
    const args = ['--network', network, '--publish', '127.0.0.1:7071:7070', '--timeout', '60s', '--']
    const job = await beginAs(anybody, [...args, process.execPath, '-e', serve], host.before)
    let said = ''
    for (let tries = 0; tries < 100 && said !== 'inside\n'; tries++) {
      await pause(100)
      said = (await host.run('bash', '-c', ask('127.0.0.1', 7071))).stdout
    }
    expect(said).toBe('inside\n')
    expect((await host.run('bash', '-c', ask(address.host, 7071))).stdout).not.toContain('inside')
    expect(await running(tool)).not.toBe('')
    process.kill(job.pid, 'SIGTERM')
    await job.ended
    expect(await running(tool)).toBe('')
  })

  test(`${tool}: it ends with a hutch that is killed`, async (context) => {
    const host = needsGround(context, needs[tool])
    const words = [...host.before, ...hutchWords, '--network', network, '--', 'sleep', '60']
    const job = begin(words[0]!, words.slice(1))
    for (let tries = 0; tries < 100 && (await running(tool)) === ''; tries++) await pause(50)
    expect(await running(tool)).not.toBe('')
    process.kill(job.pid, 'SIGKILL')
    await job.ended
    for (let tries = 0; tries < 100 && (await running(tool)) !== ''; tries++) await pause(50)
    expect(await running(tool)).toBe('')
    // and the next run clears its group away
    expect((await run(host, '--', 'true')).status).toBe(0)
  })

  test(`${tool}: a port that is taken is told in its words, and the command does not run`, async (context) => {
    const host = needsGround(context, needs[tool])
    const args = ['--network', network, '-p', `127.0.0.1:${port.loopback}:80`, '--', 'echo', 'ran']
    const { status, stdout, stderr } = await run(host, ...args)
    expect({ status, stdout }).toEqual({ status: 125, stdout: '' })
    expect(stderr).toMatch(/^hutch: cannot (connect a private network|publish port 9090): /)
    expect(stderr).toContain(`${tool} refused`)
    expect(stderr).toMatch(/remedy: publish free ports/)
    expect(await running(tool)).toBe('')
  })

  test(`${tool}: an image's resolv.conf names a server that the tool answers for`, async (context) => {
    const host = needsGround(context, needs[tool], 'busybox')
    const image = makeImage(`${place.path}/${tool}`)
    const args = ['--network', network, '--rootfs', image, '--', 'sh', '-c']
    const { stdout } = await run(host, ...args, 'cat /etc/resolv.conf; echo more >> /etc/resolv.conf || echo kept')
    expect(stdout).toContain(`nameserver ${tool === 'pasta' ? '169.254.1.1' : '10.0.2.3'}\n`)
    expect(stdout).toMatch(/kept\n$/)
    // only its mount point stays
    expect(readFileSync(`${image}/etc/resolv.conf`, 'utf8')).toBe('')
  })
}

test('none has loopback alone, host is the host’s', async (context) => {
  const host = needsGround(context)
  const names = 'for d in /proc/net/dev; do sed -n "s/^ *\\([a-z0-9]*\\):.*/\\1/p" $d; done'
  const none = await run(host, '--network', 'none', '--isolate', 'mount,pid', '--', 'bash', '-c', names)
  expect(none.stdout).toBe('lo\n')
  const own = await run(
    host,
    '--network',
    'host',
    '--isolate',
    'all',
    '--',
    'bash',
    '-c',
    ask('127.0.0.1', port.loopback),
  )
  expect(own.stdout).toBe('the host\n')
})

test('without a route pasta says so', async (context) => {
  requires(context, 'root', 'unshare(1)', 'ip(8)', 'a tun device', 'pasta(1)')
  const words = ['--net', ...hutchWords, '--network', 'private:pasta', '--', 'true']
  const { status, stderr } = await begin('unshare', words).ended
  expect(status).toBe(125)
  expect(stderr).toContain('cannot connect a private network: pasta refused')
  expect(stderr).toContain('remedy: give the host a default route')
})

test('a user who may not open /dev/net/tun is told', async (context) => {
  const host = needsGround(context, 'pasta(1)')
  const closed = [...host.before, 'unshare', '--mount', 'bash', '-c', 'mount -t tmpfs none /dev/net; exec "$@"', '-']
  const { status, stderr } = await runAs(anybody, ['--network', 'private', '--', 'true'], closed)
  expect({ status, stderr }).toMatchInlineSnapshot(`
    {
      "status": 125,
      "stderr": "hutch: cannot connect a private network: the host refused
      /dev/net/tun does not exist, or this user cannot open it
      remedy: as root: modprobe tun; chmod 666 /dev/net/tun
    ",
    }
  `)
})

test('root is told that its sandbox is a user who may not open it', async (context) => {
  needsGround(context, 'pasta(1)')
  const closed = 'mount -t tmpfs none /dev/net && mknod -m 600 /dev/net/tun c 10 200 && exec "$@"'
  const words = ['--mount', 'bash', '-c', closed, '-', ...hutchWords, '--sandbox', '--network', 'private', '--', 'true']
  const { status, stderr } = await begin('unshare', words).ended
  expect({ status, stderr }).toEqual({
    status: 125,
    stderr: `hutch: cannot connect a private network: the host refused
  the tool is one of the sandbox's own ids in the job's user namespace, which cannot open /dev/net/tun
  remedy: as root: modprobe tun; chmod 666 /dev/net/tun
`,
  })
})

test('the tool is no part of the job: one task is enough for a job that has one', async (context) => {
  const host = needsGround(context, 'pasta(1)')
  const args = ['--network', 'private:pasta', '--pids', '1', '--no-init', '--', 'true']
  expect(await run(host, ...args)).toEqual({ status: 0, stdout: '', stderr: '' })
})
