// SPDX-License-Identifier: Apache-2.0
// Hands the events of the addon's reactor to the job or trigger that they are about.
import { decodeEvent, type NativeEvent } from './events.ts'
import { type Native, native } from './native.ts'

type Handler = (event: NativeEvent) => void

const handlers = new Map<number, Handler>()
let listening = false

/** The addon, with its events going to the jobs of this thread. */
export function watchedNative(): Native {
  const addon = native()
  if (!listening) addon.listen((job, ...numbers) => handlers.get(job)?.(decodeEvent(...numbers)))
  listening = true
  return addon
}

/** Until `unwatchJob`, events of this job or trigger go to `handler`. */
export function watchJob(job: number, handler: Handler): void {
  handlers.set(job, handler)
}

export function unwatchJob(job: number): void {
  handlers.delete(job)
}
