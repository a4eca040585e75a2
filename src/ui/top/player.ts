// SPDX-License-Identifier: Apache-2.0
// Plays a recording on the screen of hutch top, with keys that move through its time. Called by hutch replay.

import { type GroupRates, rateOf } from '../../monitor/rates.ts'
import { acceptedMoments, type Cursor, makeCursor, parseMoment } from '../../monitor/recording/cursor.ts'
import type { Recording } from '../../monitor/recording/recording.ts'
import type { GroupSample } from '../../monitor/sample.ts'
import { formatTime } from '../../why/memory.ts'
import type { Key } from '../terminal/keys.ts'
import { figureOf, type History, maxTopSamples } from './history.ts'
import { runLoop } from './loop.ts'
import { type Actions, edit, makeState } from './state.ts'
import type { ViewWords } from './view.ts'

const speeds = [1, 2, 5, 10, 30, 60, 300, 1800]
/** Minimum milliseconds between two changes of the screen. */
const tick = 250

const keys = `p                        pause, or play on
, .                      previous, next sample
[ ] { }                  back or forward by a minute, by an hour
< >                      first, last sample
+ -                      faster, slower
g                        go to a time`
const help =
  '? help  q quit  p pause  , . step  [ ] minute  { } hour  < > ends  + - speed  g go to  ⏎ details  s sort  / filter'
const detailsHelp = 'esc back  ? help  q quit  p pause  , . step  [ ] minute  { } hour  + - speed  g go to  ↑↓ scroll'

/** Actions that do nothing: a recording cannot be changed, so the keys for changes have no effect. */
const noActions: Actions = {
  holdsMyself: () => false,
  freeze: async () => ({ done: false, said: '' }),
  kill: async () => ({ done: false, said: '' }),
  setLimit: async () => ({ done: false, said: '' }),
  run: () => {},
}

/** Plays the recording until a key or a signal ends it. Returns the exit status. @throws RECORD_EMPTY, RECORD_INVALID */
export function play(recording: Recording, path: string, top: string): Promise<number> {
  const cursor = makeCursor(recording, path)
  const end = recording.spans.reduce((latest, span) => Math.max(latest, span.end), 0)
  const state = makeState(top)
  const history = makePast(recording, cursor)
  let playing = true
  let speed = 0
  /** The time in the recording that is shown, in milliseconds since 1970. */
  let time = cursor.now.time
  let typing: string | undefined

  const seek = (to: number) => {
    cursor.seek(to)
    time = cursor.now.time
  }
  const step = (looks: 1 | -1) => {
    playing = false
    cursor.move(looks)
    time = cursor.now.time
  }
  /** Moves forward by milliseconds of recorded time. Skips times without samples. */
  const advance = (ms: number) => {
    time += ms * speeds[speed]!
    for (;;) {
      const { now, step } = cursor
      if (!cursor.move(1)) {
        playing = false
        return
      }
      const next = cursor.now.time
      if (next > time && next - now.time <= 10 * step) {
        cursor.move(-1)
        return
      }
      time = Math.max(time, next)
    }
  }

  /** Handles a key that moves through time. Returns false for any other key. */
  const pressTime = (key: Key): boolean => {
    const jumps: { [key: Key]: number } = { '[': -60_000, ']': 60_000, '{': -3_600_000, '}': 3_600_000 }
    if (key === 'p') playing = !playing
    else if (key === '.') step(1)
    else if (key === ',') step(-1)
    else if (jumps[key] !== undefined) seek(time + jumps[key])
    else if (key === '<') seek(0)
    else if (key === '>') seek(end)
    else if (key === '+' || key === '=') speed = Math.min(speeds.length - 1, speed + 1)
    else if (key === '-') speed = Math.max(0, speed - 1)
    else if (key === 'g') typing = ''
    else if (key === 'f' || key === 'k' || key === 'l') state.message = 'this is a recording and cannot be changed'
    else return false
    return true
  }
  const typeTime = (key: Key) => {
    if (key === 'escape') typing = undefined
    else if (key === 'enter') {
      const moment = parseMoment(typing!, end)
      if (moment === undefined) state.message = `give ${acceptedMoments}`
      else seek(moment)
      typing = undefined
    } else typing = edit(typing!, key)
  }

  /** Handles a key that moves through time, or edits a time that the user types. Returns false for any other key. */
  const pressed = (key: Key): boolean => {
    if (typing !== undefined && key !== 'suspend') {
      typeTime(key)
      return true
    }
    if (state.mode.kind !== 'list' && state.mode.kind !== 'details') return false
    state.message = ''
    return pressTime(key)
  }
  const words = (): ViewWords => ({
    title: `hutch replay  ${formatTime(cursor.now.time)}  ${playing ? `${speeds[speed]}×` : 'paused'}`,
    help,
    detailsHelp,
    footer: typing === undefined ? undefined : `go to (${acceptedMoments}): ${typing}▏`,
    keys,
  })
  const shown = () => ({ before: cursor.before, now: cursor.now, history })
  const goOn = () => {
    const played = playing
    if (playing) advance(tick)
    return played
  }
  return runLoop(state, { shown, words, press: pressed, tick: goOn, every: tick }, () => noActions)
}

/** Returns the history of a group up to the shown time. It is read from the recording only when the group's details are shown. */
function makePast(recording: Recording, cursor: Cursor): History {
  let read = ''
  let looks: { sample: GroupSample; rates: GroupRates | undefined }[] = []
  const readLooks = (path: string) => {
    const { now, step } = cursor
    const found = recording.history(path, now.time - 2 * maxTopSamples * step, now.time).slice(-maxTopSamples - 1)
    looks = found.map(({ time, sample }, i) => {
      const before = found[i - 1]
      return { sample, rates: before && rateOf(before.sample, sample, (time - before.time) / 1000) }
    })
  }
  return {
    of(path, track) {
      const wanted = `${cursor.now.time} ${path}`
      if (wanted !== read) readLooks(path)
      read = wanted
      return looks.slice(-maxTopSamples).map(({ sample, rates }) => figureOf(track, sample, rates))
    },
  }
}
