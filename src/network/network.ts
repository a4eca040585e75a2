// SPDX-License-Identifier: Apache-2.0
// Describes a job's network as data, and makes its resolv.conf. Pure.

/** A port of the host and the port inside that it forwards to. */
export interface Publish {
  /** The host's address. '' is every address. */
  address: string
  hostPort: number
  port: number
  protocol: 'tcp' | 'udp'
}

/** Programs that connect a network namespace without privileges over the host's network. */
export type NetworkTool = 'pasta' | 'slirp4netns'

/** A connection that hutch makes from outside while the job waits. `none` and `host` need no connection. */
export type Network = { publish: Publish[] } & (
  | { kind: 'private'; tool?: NetworkTool }
  | { kind: 'cni'; name: string; configDirectory?: string }
)

/** A connection resolved against this machine. */
export type PlannedNetwork = { publish: Publish[] } & (
  | { kind: 'private'; tool: NetworkTool; path: string }
  /** Identifies the container to the plugins and its creator to the sweep. */
  | { kind: 'cni'; name: string; configDirectory: string; id: string }
)

/** The address at which the tools answer for the host's name server. It is fixed in slirp4netns. */
export const nameServers: { [tool in NetworkTool]: string } = { pasta: '169.254.1.1', slirp4netns: '10.0.2.3' }

const shape = /^(?:(\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.]+\]):)?(\d{1,5}):(\d{1,5})(?:\/(tcp|udp))?$/

/** Parses `[IP:]HOSTPORT:PORT[/tcp|udp]`. An IPv6 address needs brackets. */
export function parsePublish(value: unknown): Publish | undefined {
  const [, where = '', hostPort, port, protocol = 'tcp'] = (typeof value === 'string' && shape.exec(value)) || []
  const address = where.startsWith('[') ? where.slice(1, -1) : where
  if (
    where.startsWith('[')
      ? !URL.canParse(`http://[${address}]/`)
      : address.split('.').some((part) => Number(part) > 255)
  )
    return undefined
  if (!isPort(hostPort) || !isPort(port)) return undefined
  return { address, hostPort: Number(hostPort), port: Number(port), protocol: protocol as Publish['protocol'] }
}

function isPort(text: string | undefined): boolean {
  return text !== undefined && Number(text) >= 1 && Number(text) <= 65_535
}

/** Returns the name servers of a resolv.conf(5) on the host's loopback, such as systemd-resolved's. Another namespace cannot reach them. */
export function hasOwnServer(text: string): boolean {
  return serversIn(text).some(isLoopback)
}

/** Returns the host's resolv.conf for a job: with `server` as its name server, or with the reachable name servers. */
export function resolverText(text: string, server?: string): string {
  const servers = server === undefined ? serversIn(text).filter((one) => !isLoopback(one)) : [server]
  const kept = text.split('\n').filter((line) => /^(search|domain|options)\s+[\x21-\x7e \t]+$/.test(line))
  return [...servers.map((one) => `nameserver ${one}`), ...kept].map((line) => `${line}\n`).join('')
}

function serversIn(text: string): string[] {
  return [...text.matchAll(/^nameserver[ \t]+([0-9A-Fa-f:.]+(?:%[\w.-]+)?)[ \t]*$/gm)].map(([, server]) => server!)
}

function isLoopback(server: string): boolean {
  return server.startsWith('127.') || server === '::1' || server === '0.0.0.0'
}
