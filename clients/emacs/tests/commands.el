;;; commands.el --- What asks its user  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT OR Apache-2.0

;;; Code:

(require 'home)

(defvar commands-candidates nil "What was offered last, with remarks.")

(defmacro commands-answering (answers &rest body)
  "Evaluate BODY while questions get ANSWERS, in order."
  (declare (indent 1) (debug t))
  `(let* ((answers ,answers)
          (next (lambda (&rest _) (pop answers))))
     (cl-letf (((symbol-function 'completing-read)
                (lambda (_prompt table &rest _)
                  (let* ((metadata (completion-metadata "" table nil))
                         (remark (completion-metadata-get metadata 'annotation-function)))
                    (setq commands-candidates
                          (mapcar (lambda (name) (cons name (string-trim (or (funcall remark name) ""))))
                                  (all-completions "" table))))
                  (pop answers)))
               ((symbol-function 'read-string) next)
               ((symbol-function 'yes-or-no-p) next))
       ,@body)))

(home-test mode-and-provider-are-chosen-from-lists
  (commands-answering '("propose")
    (call-interactively #'open-think-set-mode))
  (should (equal "plan only" (cdr (assoc "propose" commands-candidates))))
  (commands-answering '("offline")
    (call-interactively #'open-think-set-provider))
  (should (string-prefix-p "default, " (cdr (assoc "offline" commands-candidates))))
  (should (string-prefix-p "not ready: set ANTHROPIC_API_KEY" (cdr (assoc "anthropic" commands-candidates))))
  (with-current-buffer (open-think--current)
    (should (equal "offline" open-think--provider)))
  (open-think-ask home-write)
  (home-until-idle)
  (should (= 0 (home-count "→ write-note")))
  (commands-answering '("default")
    (call-interactively #'open-think-set-provider))
  (should-not (buffer-local-value 'open-think--provider (open-think--current))))

(home-test sessions-are-chosen-or-begun
  (home-ask home-write)
  (commands-answering '("fruit")
    (call-interactively #'open-think-sessions))
  (should (string-match-p "\\`[0-9]+ messages, 1 held\\'" (cdr (assoc "emacs" commands-candidates))))
  (should (equal "*open-think: fruit*" (buffer-name (open-think--current))))
  (with-temp-buffer
    (let ((current-prefix-arg '(4)))
      (commands-answering (list home-read "nuts")
        (call-interactively #'open-think-ask))))
  (should (equal "*open-think: nuts*" (buffer-name (open-think--buffer-of "nuts"))))
  (home-until-idle (open-think--buffer-of "nuts"))
  (should (string-search "✓ read-note" (home-text (open-think--buffer-of "nuts")))))

(home-test a-skill-is-invoked-with-checked-input
  (let ((page "*open-think: result of read-note*"))
    (commands-answering '("read-note" "{\"name\": " "[]" "{\"name\": \"quince\", \"none\": null, \"empty\": {}, \"off\": false}")
      (call-interactively #'open-think-invoke-skill))
    (should (string-search "Gives its input back." (cdr (assoc "read-note" commands-candidates))))
    (should (string-prefix-p "dangerous, " (cdr (assoc "write-note" commands-candidates))))
    (home-until "the result" (lambda () (get-buffer page)))
    (let ((result (with-current-buffer page (json-parse-string (buffer-string)))))
      (should (equal "quince" (gethash "name" result)))
      (should (equal :false (gethash "off" result))))
    (kill-buffer page)))

(home-test a-dangerous-skill-is-invoked-when-that-is-confirmed
  (commands-answering '("write-note" "{\"text\": \"sloe\"}" nil)
    (should-error (call-interactively #'open-think-invoke-skill) :type 'user-error))
  (commands-answering '("write-note" "{\"text\": \"medlar\"}" t)
    (call-interactively #'open-think-invoke-skill))
  (home-until "the note" (lambda () (equal "{\"text\":\"medlar\"}" (home-notes))))
  (home-until "the result" (lambda () (get-buffer "*open-think: result of write-note*")))
  (kill-buffer "*open-think: result of write-note*"))

(ert-deftest an-input-begins-with-what-is-required ()
  (should (equal "{\"name\": \"\", \"count\": 0}"
                 (open-think--template '(:properties (:name (:type "string") :count (:type "integer") :more (:type "string"))
                                         :required ["name" "count"]))))
  (should (equal "{}" (open-think--template nil))))

(home-test the-status-is-shown
  (open-think-status)
  (home-until "the page" (lambda () (get-buffer "*open-think status*")))
  (let ((text (home-text (get-buffer "*open-think status*"))))
    (should (string-match-p "^provider +offline, .*, default$" text))
    (should (string-match-p "^log +/" text)))
  (kill-buffer "*open-think status*"))

(ert-deftest all-commands-have-keys ()
  (dolist (command '( open-think-ask open-think-approve open-think-deny open-think-interrupt open-think-set-mode
                      open-think-set-provider open-think-sessions open-think-invoke-skill open-think-status
                      open-think-shutdown))
    (should (commandp command))
    (should (where-is-internal command open-think-command-map)))
  (should (eq #'open-think-interrupt (lookup-key open-think-session-mode-map (kbd "C-c C-c"))))
  (should (eq #'open-think-approve (lookup-key open-think-session-mode-map "a")))
  (should (eq #'open-think-deny (lookup-key open-think-session-mode-map "d"))))

(provide 'commands)
;;; commands.el ends here
