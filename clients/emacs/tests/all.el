;;; all.el --- All tests  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT OR Apache-2.0

;;; Commentary:

;; emacs -Q --batch -L . -l tests/all.el -f ert-run-tests-batch-and-exit
;;
;; OPEN_THINK_BIN names the program, OPEN_THINK_TEST_UPSTREAM the script of the
;; mock upstream beside its packages.

;;; Code:

(add-to-list 'load-path (file-name-directory load-file-name))
(setq load-prefer-newer t)

(require 'turns)
(require 'wire)
(require 'life)
(require 'commands)
(require 'editor)
(require 'published)

;;; all.el ends here
