// SPDX-License-Identifier: Apache-2.0
// The command lines of pasta(1) and slirp4netns(1). Pure. Both say on stdout when they are ready, and find the namespace on stdin.
import { type NetworkTool, nameServers, type Publish } from './network.ts'

/** Where the descriptor of the network namespace is: no process id that could be another's by then. */
const handed = '/proc/self/fd/0'

/** What it is run with. */
export interface ToolSetting {
  publish: readonly Publish[]
  /** As which user and group of the namespace's owner it runs: 0 where there is one. */
  runAs: { uid: number; gid: number }
  /** Where slirp4netns takes orders, when ports are to be published. */
  socket?: string
  netns?: string
}

/** Arguments of the tool. */
export function toolArguments(tool: NetworkTool, setting: ToolSetting): string[] {
  return tool === 'pasta' ? pastaArguments(setting) : slirpArguments(setting)
}

/** Its defaults open the host's loopback to the job, by the gateway's address and by ports: each is turned off. */
function pastaArguments({ publish, runAs, netns = handed }: ToolSetting): string[] {
  const ports = (protocol: Publish['protocol'], flag: string) => {
    const own = publish.filter((one) => one.protocol === protocol)
    return own.length === 0 ? [flag, 'none'] : own.flatMap((one) => [flag, portSpec(one)])
  }
  return [
    ...['--foreground', '--quiet', '--config-net', '--netns-only', '--no-map-gw'],
    ...['--runas', `${runAs.uid}:${runAs.gid}`, '--dns-forward', nameServers.pasta],
    ...ports('tcp', '-t'),
    ...ports('udp', '-u'),
    ...['-T', 'none', '-U', 'none', '--pid', '/dev/stdout', '--netns', netns],
  ]
}

function portSpec({ address, hostPort, port }: Publish): string {
  return `${address === '' ? '' : `${address}/`}${hostPort}:${port}`
}

function slirpArguments({ runAs, socket, netns = handed }: ToolSetting): string[] {
  // its sandbox wants to be user 0, who is not there when the job's user is somebody else
  const sandbox = runAs.uid === 0 && runAs.gid === 0 ? ['--enable-sandbox'] : []
  return [
    ...['--configure', '--mtu=65520', '--disable-host-loopback', ...sandbox, '--enable-seccomp'],
    ...(socket === undefined ? [] : ['--api-socket', socket]),
    ...['--ready-fd=1', '--netns-type=path', netns, 'tap0'],
  ]
}
