// SPDX-License-Identifier: Apache-2.0
// Podman in a session: its configuration, images, and what its tests read.
import { busybox, busyboxArchive, pauseArchive, pauseImage, writeImages } from './images.ts'
import type { Runtime } from './runtimes.ts'
import { bySystemd, type Outcome, openSession, prepared, type RunOptions, type Session } from './session.ts'

export interface Podman {
  session: Session
  /** Runs podman with these words to its end. */
  podman: (words: string, options?: RunOptions & { more?: string[] }) => Promise<Outcome>
  /** Runs podman, which must end with 0, and returns its output. */
  output: (words: string, ...more: string[]) => Promise<string>
  /** Runs a container of the busybox image to its end: flags, and a script for its shell. */
  shell: (flags: string, script: string, options?: RunOptions) => Promise<Outcome>
  /** Returns a property of a container's state. */
  inspect: (name: string, property: string) => Promise<string>
  /** Returns the pid of a running container's first process. */
  pidOf: (name: string) => Promise<string>
}

const configuration = ({ name, program }: { name: string; program: string }) => `[engine]
cgroup_manager = "${bySystemd ? 'systemd' : 'cgroupfs'}"
events_logger = "file"
runtime = "${name}"
runtime_supports_json = ["${name}"]
[engine.runtimes]
${name} = ["${program}"]
[containers]
init_path = "/usr/bin/tini-static"
log_driver = "k8s-file"
`

export async function openPodman(runtime: Runtime): Promise<Podman> {
  const session = await openSession('podman', runtime)
  writeImages(session)
  session.write('/etc/containers/containers.conf', configuration({ name: runtime.name, program: session.program }))
  const podman: Podman['podman'] = (words, { more = [], ...options } = {}) =>
    session.run(['podman', ...words.split(' '), ...more], options)
  const output: Podman['output'] = (words, ...more) => session.output(['podman', ...words.split(' '), ...more])
  for (const archive of [busyboxArchive, pauseArchive])
    await prepared(session, () => output(`pull -q oci-archive:${archive}`))
  return {
    session,
    podman,
    output,
    shell: (flags, script, options) =>
      podman(['run --rm', flags, busybox, 'sh -c'].filter(Boolean).join(' '), { ...options, more: [script] }),
    inspect: (name, property) => output(`inspect --format {{.${property}}} ${name}`),
    pidOf: (name) => output(`inspect --format {{.State.Pid}} ${name}`),
  }
}

export { busybox, pauseImage }
