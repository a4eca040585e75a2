// SPDX-License-Identifier: Apache-2.0
// Names of bwrap's options in remedies. Loaded by errors and by runs with limits.
import { dropinNames, optionWithValue } from '../../options/names.ts'

export const bwrapNames = dropinNames({ userNamespace: '--unshare-user' }, (key, value) =>
  optionWithValue(key, value, 'bwrap'),
)
