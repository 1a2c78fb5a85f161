;;; life.el --- Daemons that come and go  -*- lexical-binding: t; no-byte-compile: t; -*-

;; SPDX-License-Identifier: MIT OR Apache-2.0

;;; Code:

(require 'home)

(home-test the-start-is-quick-enough-to-print
  (let ((began (float-time)))
    (open-think--connect)
    (home-until "the daemon answers" #'open-think--ready-p)
    (message "connected in %d ms, the daemon's start included" (* 1000 (- (float-time) began)))
    (open-think-shutdown)
    (setq began (float-time))
    (open-think--connect)
    (home-until "the daemon answers" #'open-think--ready-p)
    (message "connected in %d ms to a daemon that runs" (* 1000 (- (float-time) began)))))

(home-test a-lost-connection-is-told-once-and-the-session-goes-on
  (home-ask home-read)
  (let ((told (home-messages
                (signal-process open-think--process 'SIGKILL)
                (home-until "the loss is seen" (lambda () (not open-think--connection))))))
    (should (= 1 (seq-count (lambda (text) (string-prefix-p "open-think: " text)) told))))
  (should (= 1 (home-count "the connection to the daemon was lost; the next command makes it anew")))
  (with-current-buffer (open-think--current)
    (should (string-search "not connected" (open-think--header))))
  ;; Somebody else goes on in this session meanwhile.
  (home-run "ask" "--session" "emacs" "--mode" "auto" "call read-note {\"name\":\"elsewhere\"}")
  (should (= 0 (home-count "elsewhere")))
  (home-ask "call read-note {\"name\":\"afterwards\"}")
  (should (= 1 (home-count "→ read-note {\"name\":\"quince\"}")))
  (should (= 1 (home-count "→ read-note {\"name\":\"elsewhere\"}")))
  (should (= 1 (home-count "→ read-note {\"name\":\"afterwards\"}")))
  (should (= 3 (home-count "Helm, offline"))))

(home-test a-turn-whose-connection-is-lost-is-over
  (open-think-ask home-nap)
  (home-until "the nap" (lambda () (file-exists-p (expand-file-name "nap" home-folder))))
  (signal-process open-think--process 'SIGKILL)
  (home-until "the loss is seen" (lambda () (not open-think--connection)))
  (should (= 0 (buffer-local-value 'open-think--running (open-think--current))))
  (should (= 0 (home-count "Error"))))

(home-test a-daemon-that-ends-is-followed-by-another
  (home-ask home-read)
  (let ((before (home-daemon)))
    (home-run "stop" "--now")
    (home-until-another before))
  (home-ask "call read-note {\"name\":\"afterwards\"}")
  (should (= 1 (home-count "→ read-note {\"name\":\"quince\"}")))
  (should (= 1 (home-count "→ read-note {\"name\":\"afterwards\"}"))))

(home-test a-session-is-looked-at-while-another-client-s-turn-runs
  ;; Commands work by themselves where no daemon runs.
  (open-think--fetch "daemon.status" nil)
  (make-process :name "other" :command (list home-program "ask" "--session" "emacs" "--mode" "auto" home-nap) :noquery t)
  (home-until "the nap" (lambda () (file-exists-p (expand-file-name "nap" home-folder))))
  (let ((buffer (open-think-sessions "emacs")))
    (home-until-shown "→ take-a-nap" buffer)
    (home-until "it is watched" (lambda () (eq t (buffer-local-value 'open-think--attached buffer))))
    (should (buffer-local-value 'open-think--midway buffer))
    (open-think-interrupt)
    (home-until "the turn is over" (lambda () (not (buffer-local-value 'open-think--midway buffer))))
    (home-until-idle buffer)
    (should (= 1 (home-count (concat "You\n" home-nap))))
    (should (= 1 (home-count "→ take-a-nap")))))

(home-test earlier-messages-and-held-actions-are-there-when-emacs-comes-back
  (home-ask home-read)
  (home-ask home-write)
  (home-leave)
  (let ((buffer (open-think-sessions "emacs")))
    (home-until-shown "[Approve] [Deny]" buffer)
    (should (= 1 (home-count (concat "You\n" home-read))))
    (should (= 1 (home-count "✓ read-note\n")))
    (should (= 1 (home-count "Held: write-note")))
    (with-current-buffer buffer
      (revert-buffer))
    (home-until-shown "[Approve] [Deny]" buffer)
    (should (= 1 (home-count "Held: write-note")))
    (open-think-approve)
    (home-until-idle buffer)
    (should (= 1 (home-count "\napproved\n"))))
  (should (equal "{\"text\":\"medlar\"}" (home-notes))))

(home-test a-daemon-that-dies-in-the-midst-of-a-turn-is-told-and-followed
  (open-think-ask home-nap)
  (home-until "the nap" (lambda () (file-exists-p (expand-file-name "nap" home-folder))))
  (let ((before (home-daemon)))
    (signal-process before 'SIGKILL)
    (home-until-idle)
    (home-wake)
    (should (= 1 (home-count "Error: ")))
    (home-until-another before))
  (home-ask home-read)
  (should (= 1 (home-count "→ read-note")))
  (should (= 1 (home-count "→ take-a-nap"))))

(ert-deftest a-command-that-is-no-list-is-refused-with-the-way-out ()
  (dolist (command '("open-think --stdio" nil ("open-think" t)))
    (let ((open-think-command command))
      (should (string-search "must be a list of words"
                             (cadr (should-error (open-think-ask "hello") :type 'user-error)))))))

(ert-deftest a-program-that-is-missing-is-named-with-the-way-out ()
  (let* ((open-think-command '("open-think-that-is-not-there" "--stdio"))
         (failure (should-error (open-think-ask "hello") :type 'user-error)))
    (should (equal (cadr failure)
                   "There is no program open-think-that-is-not-there: install Open Think, or name it with M-x customize-variable open-think-command"))
    (should-error (open-think-status) :type 'user-error)
    (home-leave)))

(ert-deftest a-program-that-ends-at-once-is-told-with-its-words ()
  (let* ((open-think-command '("sh" "-c" "echo 'no luck today' >&2; exit 2"))
         (told (home-messages
                 (open-think-status)
                 (home-until "the end is seen" (lambda () (not open-think--connection))))))
    (should (= 1 (seq-count (lambda (text) (string-prefix-p "open-think: " text)) told)))
    (should (seq-find (lambda (text) (string-search "sh did not get to answer (no luck today)" text)) told))))

(ert-deftest a-program-that-is-gone-before-it-is-spoken-to-is-told ()
  (let* ((open-think-command '("sh" "-c" "exit 2"))
         (make (symbol-function 'open-think--make-connection))
         (told (home-messages
                 (cl-letf (((symbol-function 'open-think--make-connection)
                            (lambda ()
                              (prog1 (funcall make)
                                ;; Without reading, so that Emacs has not been told.
                                (with-timeout (30 (ert-fail "it has not ended"))
                                  (while (process-live-p open-think--process)))))))
                   (open-think-status))
                 (should open-think--connection)
                 (home-until "the end is seen" (lambda () (not open-think--connection))))))
    (should (= 1 (seq-count (lambda (text) (string-search "sh did not get to answer" text)) told)))
    (should-not open-think--waiting)))

(home-test after-a-shutdown-the-next-command-connects
  (home-ask home-read)
  (open-think-shutdown)
  (should-not (open-think-connected-p))
  (should-error (open-think-shutdown) :type 'user-error)
  (home-ask "call read-note {\"name\":\"afterwards\"}")
  (should (= 1 (home-count "→ read-note {\"name\":\"quince\"}")))
  (should (= 1 (home-count "→ read-note {\"name\":\"afterwards\"}"))))

(provide 'life)
;;; life.el ends here
