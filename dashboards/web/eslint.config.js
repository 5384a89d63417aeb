import prettier from 'eslint-config-prettier'
import vue from 'eslint-plugin-vue'
import tseslint from 'typescript-eslint'

export default tseslint.config(
  { ignores: ['dist', 'test-results', 'playwright-report', 'src/api/schema.ts'] },
  ...tseslint.configs.strict,
  ...vue.configs['flat/recommended'],
  {
    files: ['**/*.vue'],
    languageOptions: { parserOptions: { parser: tseslint.parser } },
  },
  {
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      'max-lines': ['error', 400],
      'max-lines-per-function': ['error', 90],
      // A static style attribute would be refused by the Content-Security-Policy.
      'vue/no-static-inline-styles': 'error',
      'vue/no-v-html': 'error',
    },
  },
  // A view is named for its page.
  { files: ['src/views/**'], rules: { 'vue/multi-word-component-names': 'off' } },
  { files: ['tests/**', 'e2e/**', 'bench/**'], rules: { 'max-lines-per-function': 'off' } },
  prettier,
)
