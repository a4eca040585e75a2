// SPDX-License-Identifier: Apache-2.0
// Starts commands in a root whose list of mounts is complete, as that of an OCI container.
import type { Mount, Root } from '../../src/mounts/root.ts'
import { mountAttributes } from '../../src/ops/mount-flags.ts'
import { parseOptions, type RunOptions } from '../../src/options/options.ts'
import type { Spec } from '../../src/options/spec.ts'
import { type Job, startSpec } from '../../src/run/job.ts'
import { loadFilter } from '../../src/run/load-parsers.ts'

const { nosuid, nodev, noexec } = mountAttributes

/** A mount of the list: nosuid, nodev and noexec unless it says otherwise. */
export const at = (type: string, target: string, more: Partial<Mount> = {}): Mount => ({
  type,
  source: '',
  target,
  flags: nosuid + nodev + noexec,
  data: [],
  origin: 'mounts',
  ...more,
})

/** Starts a command with this root in place of the root that the options ask for. */
export async function startIn(
  command: string[],
  directory: string | undefined,
  root: Partial<Root>,
  more: RunOptions = {},
  change: Partial<Spec> = {},
): Promise<Job> {
  const options = { isolate: ['pid', 'mount'], ...(directory && { rootfs: directory }), dev: true, ...more } as const
  const spec = parseOptions(command[0]!, command.slice(1), options, 'library')
  const filter = await loadFilter(spec)
  return startSpec(
    { ...spec, root: { ...spec.root!, ...root }, ...change },
    { filter, stdio: ['ignore', 'pipe', 'inherit'] },
  )
}

/** Returns what a job writes to stdout. */
export async function textOf(job: Job): Promise<string> {
  let text = ''
  for await (const line of job) text += `${line}\n`
  return text
}

/** A line of proc_pid_mountinfo(5). */
export interface SeenMount {
  root: string
  target: string
  options: string[]
  propagation: string
  type: string
  source: string
  data: string[]
}

/** Returns the mounts that a text of /proc/PID/mountinfo lists. */
export function parseMountinfo(text: string): SeenMount[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [first, second] = line.split(' - ')
      const [, , , root, target, options, ...optional] = first!.split(' ')
      const [type, source, data] = second!.split(' ')
      return {
        root: root!,
        target: target!,
        options: options!.split(','),
        propagation: optional.join(' ').replace(/\d+/g, 'N'),
        type: type!,
        source: source!,
        data: data!.split(','),
      }
    })
}
