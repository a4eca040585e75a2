// SPDX-License-Identifier: Apache-2.0
// Network options as command lines of the tools.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addressesIn, pluginInput } from '../../../src/network/cni.ts'
import { parseConfigList } from '../../../src/network/cni-config.ts'
import { hasOwnServer, parsePublish, resolverText } from '../../../src/network/network.ts'
import { toolArguments } from '../../../src/network/user-mode.ts'
import { parseOptions, type RunOptions } from '../../../src/options/options.ts'

const parse = (options: RunOptions) => parseOptions('true', [], options, 'library')
const message = (options: object) => {
  try {
    parse(options)
  } catch (error) {
    return (error as Error).message
  }
  return 'it was taken'
}

test('a published port is read in all its forms', () => {
  const table: [string, string, number, number, string][] = [
    ['8080:80', '', 8080, 80, 'tcp'],
    ['127.0.0.1:8080:80', '127.0.0.1', 8080, 80, 'tcp'],
    ['8080:80/udp', '', 8080, 80, 'udp'],
    ['[::1]:1:65535/tcp', '::1', 1, 65535, 'tcp'],
  ]
  for (const [word, address, hostPort, port, protocol] of table)
    expect(parsePublish(word)).toEqual({ address, hostPort, port, protocol })
  const bad = [
    '',
    '80',
    ':80',
    '0:80',
    '80:0',
    '65536:80',
    '80:80/sctp',
    '256.0.0.1:80:80',
    '1.2.3:8:8',
    '[1.2.3.4]:8:8',
  ]
  for (const word of [...bad, '::1:8:8', '8:8\n', ' 8:8', '-8:8', '8:8/tcp/udp', '1.2.3.4/24:8:8', 8, null])
    expect([word, parsePublish(word)]).toEqual([word, undefined])
})

test('whatever is published, no text can become another option of the tool', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'0123456789.:[]/abcdeftupc -%,~\n') }), (word) => {
      const port = parsePublish(word)
      if (!port) return
      expect(port.address).toMatch(/^[0-9A-Fa-f.:]*$/)
      const args = toolArguments('pasta', { publish: [port], runAs: { uid: 0, gid: 0 } })
      expect(args.filter((arg) => arg.includes(':') && /^[0-9A-Fa-f.:]*\/?\d+:\d+$/.test(arg))).toHaveLength(
        2 - Number(!args.includes('0:0')),
      )
    }),
  )
})

test('the tools are never let near the loopback of the host', () => {
  const setting = { publish: [], runAs: { uid: 0, gid: 0 } }
  const pasta = toolArguments('pasta', setting).join(' ')
  for (const closed of ['--no-map-gw', '-t none', '-u none', '-T none', '-U none']) expect(pasta).toContain(closed)
  expect(toolArguments('slirp4netns', setting)).toContain('--disable-host-loopback')
  expect(toolArguments('slirp4netns', setting)).toContain('--enable-sandbox')
  expect(toolArguments('slirp4netns', { ...setting, runAs: { uid: 5, gid: 5 } })).not.toContain('--enable-sandbox')
})

test('a network asks for its namespace, and the host’s for none', () => {
  expect(parse({ network: 'private' }).isolate).toContain('net')
  expect(parse({ network: 'none' }).isolate).toContain('net')
  expect(parse({ network: 'none' }).network).toBeUndefined()
  expect(parse({ network: 'host', isolate: 'all' }).isolate).not.toContain('net')
  expect(parse({ network: 'cni:web', cniConfDir: '/x' }).network).toEqual({
    kind: 'cni',
    name: 'web',
    configDirectory: '/x',
    publish: [],
  })
})

test('what does not go together is refused in words', () => {
  expect(message({ network: 'privat' })).toMatchInlineSnapshot(`
    "invalid value privat for network: there is no such network
      remedy: give private? Accepted is none, host, private, private:pasta, private:slirp4netns or cni:NAME"
  `)
  expect(message({ network: 'cni:../x' })).toContain('there is no such network')
  expect(message({ publish: '80:80' })).toContain('there is no connected network to forward to')
  expect(message({ network: 'none', publish: '80:80' })).toContain('no connected network')
  expect(message({ network: 'private', publish: ['80:80', '80:81'] })).toContain('already published')
  expect(message({ network: 'private', cniConfDir: '/x' })).toContain('no CNI network is requested')
  expect(message({ network: 'host', isolate: ['net'] })).toContain('of its own is also requested')
  expect(message({ network: 'private', join: { net: 1 } })).toContain('the network namespace is one that is joined')
  expect(message({ network: 'private', join: { user: 1 } })).toContain('the user namespace is one that is joined')
})

test('resolv.conf keeps what is of use inside', () => {
  const host =
    'search a.example\nnameserver 127.0.0.53\nnameserver 192.0.2.7\noptions edns0\nnonsense \x1b[2J\n# note\n'
  expect(resolverText(host)).toBe('nameserver 192.0.2.7\nsearch a.example\noptions edns0\n')
  expect(resolverText(host, '10.0.2.3')).toBe('nameserver 10.0.2.3\nsearch a.example\noptions edns0\n')
  expect([hasOwnServer(host), hasOwnServer('nameserver 192.0.2.7\n'), hasOwnServer('')]).toEqual([true, false, false])
})

const list = parseConfigList(
  {
    cniVersion: '1.0.0',
    name: 'web',
    plugins: [{ type: 'bridge' }, { type: 'portmap', capabilities: { portMappings: true } }],
  },
  'web.conflist',
)

test('a plugin gets its own part, the list’s name, ports if it can map them, and the result so far', () => {
  const publish = [{ address: '127.0.0.1', hostPort: 8080, port: 80, protocol: 'tcp' as const }]
  const attachment = { id: 'x', list, publish, netns: '/n' }
  expect(pluginInput(list.plugins[0]!, attachment)).toEqual({ type: 'bridge', cniVersion: '1.0.0', name: 'web' })
  expect(pluginInput(list.plugins[1]!, { ...attachment, result: { ips: [] } })).toMatchObject({
    runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIP: '127.0.0.1' }] },
    prevResult: { ips: [] },
  })
})

test('a config list is checked for what hutch relies on', () => {
  const bad = [
    1,
    [],
    {},
    { name: 'x' },
    { name: 'x', plugins: [] },
    { name: '../x', plugins: [{ type: 'a' }] },
    { name: 'x', plugins: [{ type: '../../bin/sh' }] },
    { name: 'x', plugins: [{ type: 'a', capabilities: 1 }] },
    { name: 'x', cniVersion: 'one', plugins: [{ type: 'a' }] },
  ]
  for (const value of bad) expect(() => parseConfigList(value, 'file')).toThrow(/^cannot use file: /)
  expect(parseConfigList({ name: 'x', type: 'bridge' }, 'file').plugins).toHaveLength(1)
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      try {
        parseConfigList(value, 'file')
      } catch (error) {
        expect((error as { code: string }).code).toBe('NETWORK_CONFIG_INVALID')
      }
    }),
  )
})

test('addresses of a result are addresses, whatever a plugin says', () => {
  expect(addressesIn({ ips: [{ address: '10.1.0.2/16' }, { address: '\x1b[2J' }, null, { address: 5 }] })).toEqual([
    '10.1.0.2/16',
  ])
  fc.assert(fc.property(fc.jsonValue(), (value) => Array.isArray(addressesIn(value))))
})
