// SPDX-License-Identifier: Apache-2.0
// Passes the events of the addon to the job or trigger that they belong to. Called by run/, pool/ and cgroup/watch.ts.
import { decodeEvent, type NativeEvent } from './events.ts'
import { type Native, native } from './native.ts'

type Handler = (event: NativeEvent) => void

const handlers = new Map<number, Handler>()
let listening = false

/** Returns the addon, with its events passed to this thread's jobs. */
export function watchedNative(): Native {
  const addon = native()
  if (!listening) addon.listen((job, ...numbers) => handlers.get(job)?.(decodeEvent(...numbers)))
  listening = true
  return addon
}

/** Passes events of this job or trigger to `handler` until `unwatchJob`. */
export function watchJob(job: number, handler: Handler): void {
  handlers.set(job, handler)
}

export function unwatchJob(job: number): void {
  handlers.delete(job)
}
