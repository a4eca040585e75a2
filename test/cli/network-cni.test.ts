// SPDX-License-Identifier: Apache-2.0
// hutch run --network cni:NAME with the real plugins, in a network that the test made: what they make, and that all of it goes.
// In a VM only in `npm run test:kernels`.
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { runAs } from '../support/anyone.ts'
import '../support/leaks.ts'
import { hutchCommand } from '../support/command.ts'
import { address, ask, type Ground, networkGround, port } from '../support/network-ground.ts'
import { requires } from '../support/requires.ts'
import { begin } from './hutch.ts'

let ground: Ground | undefined
const lists = '/run/hutch-test-net.d'

beforeAll(async () => {
  try {
    ground = await networkGround()
    await ground.run('mkdir', lists)
    await write('web.conflist', web)
    await write('broken.conflist', { ...web, name: 'broken', plugins: [...web.plugins, { type: 'no-such-plugin' }] })
    await write('refused.conflist', {
      ...web,
      name: 'refused',
      plugins: [web.plugins[0], { type: 'tuning', sysctl: { 'net.no': '1' } }],
    })
    await write('old.conf', { name: 'old', cniVersion: '9.9.9', type: 'bridge' })
    await write('bad.conflist', { name: 'bad', cniVersion: '1.0.0', plugins: [{ type: '../../../bin/sh' }] })
  } catch {
    // each test says what it needs
  }
})
afterAll(() => ground?.remove())
beforeEach((context) => requires(context, 'root', 'unshare(1)', 'ip(8)', 'CNI plugins', 'iptables(8)'))

const web = {
  cniVersion: '1.0.0',
  name: 'web',
  plugins: [
    {
      type: 'bridge',
      bridge: 'hutch0',
      isGateway: true,
      ipMasq: true,
      ipam: { type: 'host-local', subnet: '198.51.100.0/24', routes: [{ dst: '0.0.0.0/0' }], dataDir: '/run/leases' },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
    { type: 'firewall', backend: 'iptables' },
  ],
}

const write = (name: string, value: object) =>
  ground!.run('sh', '-c', 'printf %s "$1" > "$0"', `${lists}/${name}`, JSON.stringify(value))

const words = (...args: string[]) => [...hutchCommand, 'run', '--quiet', '--cni-conf-dir', lists, ...args]
const run = (...args: string[]) => ground!.run(words()[0]!, ...words(...args).slice(1))

/** What plugins, and hutch, leave on a host: interfaces, leases, rules with our ids, records and mounts. */
async function left(): Promise<string> {
  const look = [
    'ip -br link | grep ^veth',
    'ls /run/leases/web | grep -v -e lock -e last_reserved',
    "iptables-save | grep -e hutch- -e '-A CNI-[0-9a-f]' -e 'CNI-DN-' -e 198.51.100.[0-9]*/32",
    'ls /run/hutch/cni',
    'grep /run/hutch /proc/self/mountinfo',
  ]
  return (await ground!.run('sh', '-c', look.join('; '))).stdout
}

test('the job has the address of the result, reaches out, and all of it goes', async () => {
  const inside = `ip -br -4 addr show eth0; ${ask(address.peer, port.peer)}`
  const { status, stdout, stderr } = await run('--network', 'cni:web', '--', 'bash', '-c', inside)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  // masqueraded: the peer sees the host
  expect(stdout).toMatch(/^eth0@\S+ +UP +198\.51\.100\.\d+\/24 *\nyou are 192\.0\.2\.2\n$/)
  expect(await left()).toBe('')
})

test('a published port leads inside', async () => {
  const serve = `require('net').createServer(s => s.end('inside\\n')).listen(80)`
  const args = words('--network', 'cni:web', '-p', '7072:80', '--timeout', '60s', '--', process.execPath, '-e', serve)
  const job = begin(ground!.before[0]!, [...ground!.before.slice(1), ...args])
  let said = ''
  for (let tries = 0; tries < 100 && said !== 'inside\n'; tries++) {
    await pause(100)
    said = (await ground!.run('bash', '-c', ask(address.host, 7072))).stdout
  }
  expect(said).toBe('inside\n')
  expect(await left()).toContain('veth')
  process.kill(job.pid, 'SIGTERM')
  await job.ended
  expect(await left()).toBe('')
})

test('a plugin that fails is told in its words, and what the ones before it did is undone', async () => {
  const refused = await run('--network', 'cni:refused', '--', 'echo', 'ran')
  expect(refused).toMatchObject({ status: 125, stdout: '' })
  expect(refused.stderr).toMatch(
    /^hutch: cannot connect the network refused: its plugin tuning( \(code \d+\))? refused\n/,
  )
  expect(await left()).toBe('')
  const missing = await run('--network', 'cni:broken', '--', 'echo', 'ran')
  expect(missing).toMatchObject({ status: 125, stdout: '' })
  expect(missing.stderr).toContain(
    'cannot connect the network broken: the host, which has no plugin no-such-plugin, refused',
  )
  expect(missing.stderr).toContain('remedy: apt-get install containernetworking-plugins')
  expect(await left()).toBe('')
})

test('a version that the plugin does not know, a list that is none, a name that is not there', async () => {
  const old = await run('--network', 'cni:old', '--', 'true')
  expect(old.stderr).toMatch(/its plugin bridge \(code 1\) refused[\s\S]*remedy: set cniVersion/)
  const bad = await run('--network', 'cni:bad', '--', 'true')
  expect(bad.stderr).toContain(`cannot use ${lists}/bad.conflist: a plugin in it has no type`)
  const typed = await run('--network', 'cni:wbe', '--', 'true')
  expect(typed).toMatchObject({ status: 125 })
  expect(typed.stderr).toContain('remedy: did you mean cni:web?')
  expect(await left()).toBe('')
})

test('without root it is refused before anything is started', async () => {
  const { status, stderr } = await runAs(23_457, ['--network', 'cni:web', '--', 'true'], ground!.before)
  expect(status).toBe(125)
  expect(stderr).toContain("cannot use --network: CNI plugins change the host's network")
})

test('what a killed hutch left is taken down by the next run, whatever that is', async () => {
  const args = words('--network', 'cni:web', '-p', '7073:80', '--', 'sleep', '60')
  const job = begin(ground!.before[0]!, [...ground!.before.slice(1), ...args])
  const up = async () => (await ground!.run('pgrep', '-x', '-P', String(job.pid), 'hutch-init|sleep')).stdout !== ''
  for (let tries = 0; tries < 100 && !((await up()) && (await left()).includes('CNI-DN-')); tries++) await pause(50)
  await pause(200)
  process.kill(job.pid, 'SIGKILL')
  await job.ended
  const before = await left()
  for (const what of ['veth', '198.51.100.', 'CNI-DN-', '/run/hutch/cni/']) expect(before).toContain(what)
  expect(await ground!.run(...hutchCommand, 'run', '--quiet', '--', 'true')).toMatchObject({
    status: 0,
    stderr: '',
  })
  expect(await left()).toBe('')
})

test('a command that is not there leaves nothing', async () => {
  expect((await run('--network', 'cni:web', '--', '/no/such')).status).toBe(127)
  expect(await left()).toBe('')
})

test('the library tells the addresses, and eight at once get one each', async () => {
  const text = `
    import { start } from '${process.cwd()}/dist/index.js'
    const options = { network: 'cni:web', cniConfDir: '${lists}' }
    const script = 'ip -o -4 addr show eth0 | tr -s " " | cut -d" " -f4'
    const each = async () => {
      const job = await start('sh', ['-c', script], options)
      job.stdin.end()
      let said = ''
      for await (const data of job.stdout) said += data
      const [address] = await job.addresses()
      await job.result
      return said.trim() === address && address
    }
    console.log(JSON.stringify(await Promise.all(Array.from({ length: 8 }, each))))`
  const { stdout, stderr } = await ground!.run(process.execPath, '--input-type=module', '--eval', text)
  expect(stderr).toBe('')
  const addresses = JSON.parse(stdout) as string[]
  expect(new Set(addresses).size).toBe(8)
  for (const one of addresses) expect(one).toMatch(/^198\.51\.100\.\d+\/24$/)
  expect(await left()).toBe('')
})
