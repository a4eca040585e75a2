// SPDX-License-Identifier: Apache-2.0
// All ends of known cause. Called by ends.test.ts.
import type { End } from './end.ts'
import { limitEnds } from './limits.ts'
import { memoryEnds } from './memory.ts'
import { otherEnds } from './others.ts'

export const ends: readonly End[] = [...memoryEnds, ...limitEnds, ...otherEnds]
