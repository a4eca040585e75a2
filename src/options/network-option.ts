// SPDX-License-Identifier: Apache-2.0
// Parses the options `network`, `publish` and `cniConfDir`. Called by options.ts; pure.
import { fail } from '../errors/errors.ts'
import { type Network, type NetworkTool, type Publish, parsePublish } from '../network/network.ts'
import { nearest } from '../text/nearest.ts'
import type { NamespaceSpec } from './namespace-options.ts'

/** Options for networks. */
export interface NetworkOptions {
  /**
   * The job's network. `'none'` has only loopback; `'host'` is the host's network. `'private'` is connected by pasta or
   * slirp4netns, whichever is installed; `'private:pasta'` names the tool. `'cni:NAME'` is connected by the CNI plugins
   * of the network NAME. The default is `'host'`, or `'none'` with `sandbox`.
   */
  network?: string
  /** Host ports to forward to ports of the job: `[IP:]HOSTPORT:PORT[/tcp|udp]`. None by default. */
  publish?: string | readonly string[]
  /**
   * Directory with the configuration of CNI networks. The default is $CNI_CONF_DIR, or /etc/cni/net.d if that variable
   * is not set.
   */
  cniConfDir?: string
}

type NameOf = (key: keyof NetworkOptions) => string
const accepted = 'none, host, private, private:pasta, private:slirp4netns or cni:NAME'

/**
 * Parses the network options, and adds or removes the net namespace in `namespaces`. `requested` is the option `isolate` as
 * the caller wrote it.
 *
 * @throws OPTION_INVALID, OPTION_CONFLICT
 */
export function parseNetwork(
  options: NetworkOptions,
  namespaces: NamespaceSpec,
  requested: unknown,
  nameOf: NameOf,
): Network | undefined {
  const { network, cniConfDir } = options
  const publish = parsePorts(options.publish, nameOf('publish'))
  const [kind, detail] = network === undefined ? [] : parseWord(network, nameOf('network'))
  if (publish.length > 0 && kind !== 'private' && kind !== 'cni')
    throw conflict(nameOf('publish'), 'there is no connected network to forward to', `add ${nameOf('network')} private`)
  if (cniConfDir !== undefined && kind !== 'cni')
    throw conflict(nameOf('cniConfDir'), 'no CNI network is requested', `add ${nameOf('network')} cni:NAME`)
  if (cniConfDir !== undefined && (typeof cniConfDir !== 'string' || !/^[^\0]+$/.test(cniConfDir)))
    throw fail('OPTION_INVALID', {
      name: nameOf('cniConfDir'),
      value: cniConfDir,
      accepted: 'a directory',
    })
  if (kind === undefined) return undefined
  isolateFor(kind, namespaces, requested, nameOf)
  if (kind === 'private') return { kind, publish, ...(detail && { tool: detail as NetworkTool }) }
  if (kind === 'cni')
    return { kind, publish, name: detail!, ...(cniConfDir !== undefined && { configDirectory: cniConfDir }) }
  return undefined
}

function parseWord(value: unknown, name: string): ['none' | 'host' | 'private' | 'cni', string?] {
  if (value === 'none' || value === 'host' || value === 'private') return [value]
  if (value === 'private:pasta' || value === 'private:slirp4netns') return ['private', value.slice(8)]
  if (typeof value === 'string' && /^cni:[A-Za-z0-9][\w.-]*$/.test(value)) return ['cni', value.slice(4)]
  const near =
    typeof value === 'string'
      ? nearest(value, ['none', 'host', 'private', 'private:pasta', 'private:slirp4netns'])
      : undefined
  throw fail('OPTION_INVALID', {
    name,
    value,
    why: 'there is no such network',
    accepted: near ? `${near}? Accepted is ${accepted}` : accepted,
  })
}

function parsePorts(value: unknown, name: string): Publish[] {
  const words = value === undefined ? [] : Array.isArray(value) ? (value as unknown[]) : [value]
  const ports = words.map((word) => {
    const port = parsePublish(word)
    if (port) return port
    throw fail('OPTION_INVALID', {
      name,
      value: word,
      accepted: '[IP:]HOSTPORT:PORT[/tcp|udp] with ports from 1 to 65535, such as 127.0.0.1:8080:80',
    })
  })
  const keys = ports.map(({ address, hostPort, protocol }) => `${address} ${hostPort} ${protocol}`)
  const twice = keys.findIndex((key, i) => keys.indexOf(key) !== i)
  if (twice >= 0)
    throw fail('OPTION_INVALID', {
      name,
      value: words[twice],
      why: 'this host port is already published',
      accepted: 'publish each host port once',
    })
  return ports
}

/** Adds a net namespace unless the job uses the host's network. Refuses a net namespace that contradicts the option `network`. */
function isolateFor(kind: string, namespaces: NamespaceSpec, requested: unknown, nameOf: NameOf): void {
  const { isolate, joins } = namespaces
  if (joins.some((join) => join.kind === 'net'))
    throw conflict(nameOf('network'), 'the network namespace is one that is joined', 'omit one of them')
  if (kind === 'host') {
    if (Array.isArray(requested) && requested.includes('net'))
      throw conflict(
        nameOf('network'),
        'a network namespace of its own is also requested',
        'leave net out of --isolate',
      )
    namespaces.isolate = isolate.filter((each) => each !== 'net')
    return
  }
  // hutch connects the network from outside and so needs the namespace directly after the clone; in a joined user
  // namespace it is created later
  if (kind !== 'none' && joins.some((join) => join.kind === 'user'))
    throw conflict(
      nameOf('network'),
      'the user namespace is one that is joined',
      'omit one of the two options, or use --network none',
    )
  if (!isolate.includes('net')) isolate.push('net')
}

function conflict(name: string, why: string, remedy: string) {
  return fail('OPTION_CONFLICT', { name, why, remedy })
}
