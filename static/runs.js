/** The entry of the list of runs. */
import { RunsPage } from "./pages/runs_page.js";

new RunsPage().poll();
