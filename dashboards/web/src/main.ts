import { createApp } from 'vue'
import App from './App.vue'
import './styles/base.css'
import { startTheme } from './composables/useTheme'
import { router } from './router'

startTheme()
createApp(App).use(router).mount('#app')
