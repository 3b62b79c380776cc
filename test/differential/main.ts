/** The program under the name of its folder's other entry. */
import './run.ts';
