;;; turns.el --- Turns with the real daemon  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT OR Apache-2.0

;;; Code:

(require 'home)

(home-test asks-and-shows-what-happens
  (home-ask home-read)
  (let ((text (home-text)))
    (should (string-search (concat "You\n" home-read "\n\nHelm, offline\n→ read-note {\"name\":\"quince\"}\n") text))
    (should (string-match-p "✓ read-note, [0-9]+ ms\n  {\"name\":\"quince\"}\n" text))
    (should (string-search "read-note:\n- name: quince\n\nNo model" text)))
  (with-current-buffer (open-think--current)
    (should (derived-mode-p 'special-mode))
    (should buffer-read-only)
    (home-until "the header" (lambda () (string-match-p "mode selective +provider offline (\\w+)" (open-think--header))))
    (should (eq 'open-think-user (get-text-property (point-min) 'face)))
    (goto-char (point-min))
    (search-forward "→")
    (should (eq 'open-think-tool (get-text-property (1- (point)) 'face)))))

(home-test windows-follow-the-end
  (let ((buffer (open-think--buffer "emacs")))
    (switch-to-buffer buffer)
    (home-ask home-read)
    (should (= (window-point) (point-max)))
    (goto-char (point-min))
    (home-ask home-read)
    (should (= (window-point) (point-min)))))

(home-test the-region-goes-along
  (let ((file (expand-file-name "fruit.el" home-folder)))
    (write-region "one\n(two ```)\nthree\n" nil file nil 'silent)
    (with-current-buffer (find-file-noselect file)
      (transient-mark-mode)
      (goto-char (point-min))
      (forward-line 1)
      (push-mark (point) t t)
      (forward-line 1)
      (open-think-ask "what is this?")
      (set-buffer-modified-p nil)
      (kill-buffer))
    (home-until-idle)
    (let ((content (plist-get (aref (plist-get (open-think--fetch "sessions.messages" '(:sessionName "emacs")) :messages) 0)
                              :content))
          (expected (concat "what is this?\n\n" (abbreviate-file-name file) ", lines 2 to 2:\n\n````emacs-lisp\n(two ```)\n````")))
      (should (equal content expected))
      (should (string-search expected (home-text))))))

(home-test a-held-action-is-approved
  (home-ask home-write)
  (should (equal "" (home-notes)))
  (let ((text (home-text)))
    (should (string-search "Held: write-note, dangerous skill held for approval\n{\n  \"text\": \"medlar\"\n}\n[Approve] [Deny]" text)))
  (open-think-approve)
  (should-not (string-search "[Approve]" (home-text)))
  (home-until-idle)
  (should (string-search "write-note: medlar" (home-text)))
  (should (equal "{\"text\":\"medlar\"}" (home-notes)))
  (should-error (open-think-approve) :type 'user-error))

(home-test a-held-action-is-denied-by-its-button
  (home-ask home-write)
  (with-current-buffer (open-think--current)
    (goto-char (point-min))
    (search-forward "[Deny")
    (push-button (1- (point))))
  (home-until-idle)
  (should (string-search "✗ write-note" (home-text)))
  (should (string-search "\ndenied\n" (home-text)))
  (should (equal "" (home-notes))))

(home-test of-several-the-one-at-point-is-meant
  (home-ask "call write-note {\"text\":\"one\"}\ncall write-note {\"text\":\"two\"}")
  (with-current-buffer (open-think--current)
    (goto-char (point-min))
    (should-error (open-think-approve) :type 'user-error)
    (search-forward "\"text\": \"two\"")
    (open-think-approve)
    (home-until-idle)
    (should (equal "{\"text\":\"two\"}" (home-notes)))
    (goto-char (point-min))
    (open-think-deny)
    (home-until-idle))
  (should (equal "{\"text\":\"two\"}" (home-notes))))

(home-test an-input-is-edited-before-it-is-approved
  (home-ask home-write)
  (cl-letf (((symbol-function 'read-string)
             (lambda (_prompt initial)
               (should (equal initial "{\"text\":\"medlar\"}"))
               "{\"text\":\"sloe\"}")))
    (open-think-approve t))
  (home-until-idle)
  (should (equal "{\"text\":\"sloe\"}" (home-notes))))

(home-test what-is-proposed-can-be-approved
  (home-ask home-write "propose")
  (open-think-approve)
  (home-until-idle)
  (should (equal "{\"text\":\"medlar\"}" (home-notes))))

(home-test another-client-decides
  (home-ask home-write)
  (home-run "approve" "--session" "emacs" (caar (buffer-local-value 'open-think--actions (open-think--current))))
  (home-until-shown "\ndecided\n")
  (should-error (open-think-approve) :type 'user-error))

(home-test a-turn-is-interrupted
  (open-think-ask home-nap)
  (home-until "the nap" (lambda () (file-exists-p (expand-file-name "nap" home-folder))))
  (with-current-buffer (open-think--current)
    (should (string-search "working" (open-think--header))))
  (open-think-interrupt)
  (home-until-shown "(cancelled)")
  (home-until-idle)
  (let ((told (home-messages
                (open-think-interrupt)
                (open-think--fetch "daemon.status" nil))))
    (should (member "Nothing runs in emacs" told))))

(home-test an-error-is-told-once-with-its-way-out
  (open-think-set-provider "anthropic")
  (home-ask "hello")
  (should (= 1 (home-count "Error: provider 'anthropic' is not configured\nset ANTHROPIC_API_KEY"))))

(ert-deftest text-streams-from-a-model ()
  (let ((script (getenv "OPEN_THINK_TEST_UPSTREAM")))
    (unless script
      (ert-skip "OPEN_THINK_TEST_UPSTREAM does not name tests/real_world/node/upstream.mjs, installed"))
    (let* ((said "")
           (upstream (make-process :name "upstream" :command (list "node" script) :connection-type 'pipe :noquery t
                                   :filter (lambda (_ text) (setq said (concat said text))))))
      (unwind-protect
          (let ((url (progn (home-until "the upstream" (lambda () (string-suffix-p "\n" said)))
                            (gethash "url" (json-parse-string said)))))
            (home-call
             (lambda ()
               (home-ask "say hello")
               (should (string-search "Helm, openai-compatible test-model\nHello from upstream, in several pieces.\n" (home-text)))
               (open-think-ask "talk slowly")
               (home-until-shown "word word word")
               (should (< (home-count "word") 400))
               (open-think-interrupt)
               (home-until-shown "(cancelled)")
               (home-until-idle)
               (home-ask "be cut short")
               (should (= 1 (home-count "Error: "))))
             (list (format "OPENAI_COMPATIBLE_URL=%s/v1" url) "OPENAI_COMPATIBLE_KEY=sk-test"
                   "OPENAI_COMPATIBLE_DEFAULT_MODEL=test-model")))
        (delete-process upstream)))))

(provide 'turns)
;;; turns.el ends here
