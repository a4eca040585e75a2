// SPDX-License-Identifier: Apache-2.0
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/leaks.ts'],
    // the kernel is one: files that make groups take turns
    fileParallelism: false,
    testTimeout: process.env.VM ? 300_000 : 60_000,
    hookTimeout: process.env.VM ? 300_000 : 60_000,
  },
})
