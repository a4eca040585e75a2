// SPDX-License-Identifier: Apache-2.0
// A client of Kubernetes' container runtime interface: calls containerd as kubelet does, and makes the pods' control groups as kubelet does.
import { existsSync, mkdirSync } from 'node:fs'
import { basename } from 'node:path'
import { openContainerd, type Sections, socket } from './containerd.ts'
import { type Message, openClient } from './grpc.ts'
import { busybox, busyboxArchive, pauseArchive } from './images.ts'
import { isV2 } from './limits.ts'
import type { Runtime } from './runtimes.ts'
import { bySystemd, copyProcessors, delegate, prepared, type Session } from './session.ts'

// biome-ignore lint/suspicious/noExplicitAny: answers have the fields of cri.proto
type Answer = any

export type Quality = 'guaranteed' | 'burstable' | 'besteffort'

export interface Pod {
  id: string
  config: object
  /** Its group, as kubelet names it. */
  group: string
}

export interface Cri {
  session: Session
  call: (method: string, request?: object) => Promise<Answer>
  /** Runs a pod over the runtime of a handler: the default one without. */
  runPod: (name: string, quality: Quality, linux?: object, handler?: string) => Promise<Pod>
  /** Creates and starts a container of the busybox image. */
  runContainer: (pod: Pod, name: string, script: string, linux?: Linux, more?: object) => Promise<string>
  /** Runs a script in a container. */
  exec: (container: string, script: string) => Promise<{ stdout: string; stderr: string; status: number }>
  /** Waits until a container has ended, with this text in its status, and returns its status. */
  ended: (container: string, text?: string) => Promise<Answer>
  stop: (pod: Pod) => Promise<void>
}

/** Each container has a pid namespace: what kubelet asks for by default. */
const ownProcesses = { namespace_options: { pid: 'CONTAINER' } }

/** A pod on the host's network, whose containers share a pid namespace. */
export const hostNetwork = { security_context: { namespace_options: { network: 'NODE', pid: 'POD' } } }

/** Of a container, in CRI's terms. */
interface Linux {
  resources?: object
  security_context?: object
}

/** Returns a pod's group as kubelet names it. */
function podGroup(quality: Quality, name: string): string {
  const levels = ['kubepods', ...(quality === 'guaranteed' ? [] : [quality]), `pod${name}`]
  if (!bySystemd) return `/${levels.join('/')}`
  return levels.map((_, i) => `/${levels.slice(0, i + 1).join('-')}.slice`).join('')
}

/** Returns the group of a container of a pod. */
export const containerGroup = ({ group }: Pod, container: string): string =>
  `${group}/${bySystemd ? `cri-containerd-${container}.scope` : container}`

/** Makes a group in each hierarchy of the session, with the controllers and processors of the group above it. */
function makeGroup(session: Session, group: string): void {
  for (const mount of session.hierarchies) {
    let at = session.path(mount)
    for (const name of group.split('/').filter(Boolean)) {
      const above = at
      at = `${at}/${name}`
      if (existsSync(at)) continue
      mkdirSync(at)
      if (isV2) delegate(above)
      else copyProcessors(above, at)
    }
    if (isV2) delegate(at)
  }
}

export async function openCri(runtime: Runtime, sections?: Sections): Promise<Cri> {
  const session = await openContainerd('cri', runtime, sections)
  for (const archive of [busyboxArchive, pauseArchive])
    await prepared(session, () => session.output(['ctr', '-n', 'k8s.io', 'images', 'import', archive]))
  const client = openClient('test/engines/cri.proto', session.path(socket))
  const call = (method: string, request: object = {}): Promise<Answer> => client.call(method, request as Message)
  // images are listed as soon as the plugin has seen the imports
  const listed = async () => JSON.stringify(await call('ListImages'))
  await session.until(listed, /busybox.*pause|pause.*busybox/)
  const close = session.close.bind(session)
  session.close = () => {
    client.close()
    return close()
  }

  const runPod: Cri['runPod'] = async (name, quality, linux = {}, handler = '') => {
    const group = podGroup(quality, name)
    // systemd makes the slices
    if (!bySystemd) makeGroup(session, group)
    const config = {
      metadata: { name, uid: `uid-${name}`, namespace: 'tests', attempt: 0 },
      log_directory: `/session/logs/${name}`,
      // a pod on the host's network has the host's name
      ...(linux === hostNetwork ? {} : { hostname: name }),
      linux: { cgroup_parent: bySystemd ? basename(group) : group, security_context: ownProcesses, ...linux },
    }
    const { pod_sandbox_id: id } = await call('RunPodSandbox', { config, runtime_handler: handler })
    return { id, config, group }
  }
  const runContainer: Cri['runContainer'] = async (pod, name, script, linux = {}, more = {}) => {
    const config = {
      metadata: { name, attempt: 0 },
      image: { image: busybox },
      command: ['sh', '-c', script],
      log_path: `${name}.log`,
      linux: { ...linux, security_context: { ...ownProcesses, ...linux.security_context } },
      ...more,
    }
    const request = { pod_sandbox_id: pod.id, config, sandbox_config: pod.config }
    const { container_id: id } = await call('CreateContainer', request)
    await call('StartContainer', { container_id: id })
    return id
  }
  return {
    session,
    call,
    runPod,
    runContainer,
    exec: async (container, script) => {
      const request = { container_id: container, cmd: ['sh', '-c', script], timeout: 20 }
      const { stdout, stderr, exit_code } = await call('ExecSync', request)
      return { stdout: String(stdout), stderr: String(stderr), status: exit_code }
    },
    ended: async (container, text = '') => {
      const read = async () => JSON.stringify((await call('ContainerStatus', { container_id: container })).status)
      return JSON.parse(await session.until(read, new RegExp(`"EXITED".*${text}`)))
    },
    stop: async ({ id }) => {
      await call('StopPodSandbox', { pod_sandbox_id: id })
      await call('RemovePodSandbox', { pod_sandbox_id: id })
    },
  }
}
