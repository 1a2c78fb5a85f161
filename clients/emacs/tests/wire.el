;;; wire.el --- What a daemon may send  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT OR Apache-2.0

;;; Code:

(require 'scripted)

(scripted-test what-is-not-known-is-a-dim-line
  (let ((buffer (scripted-watched)))
    (scripted-say :method "daemon.novelty" :params '(:a 1))
    (scripted-event 1 :kind "turn-start" :iteration 1 :provider "new" :novelty '(:a [1 2]))
    (scripted-event 2 :kind "mood-changed" :mood "merry")
    (scripted-event 3 :kind "loop-done" :stopReason "bored" :novelty t)
    (home-until-shown "(bored)" buffer)
    (should (equal "Helm, new\n(mood-changed)\n(bored)\n" (home-text buffer)))))

(scripted-test no-event-is-shown-twice
  (let ((buffer (scripted-watched)))
    (scripted-event 1 :kind "text-start" :index 0)
    (scripted-event 2 :kind "text-delta" :index 0 :text "one ")
    (scripted-event 2 :kind "text-delta" :index 0 :text "one ")
    (scripted-event 3 :kind "text-delta" :index 0 :text "two")
    (scripted-event 1 :kind "text-start" :index 0)
    (scripted-event 4 :kind "loop-done" :stopReason "seen")
    (home-until-shown "(seen)" buffer)
    (should (equal "one two\n(seen)\n" (home-text buffer)))))

(scripted-test blocks-side-by-side-stay-apart
  (let ((buffer (scripted-watched)))
    (scripted-event 1 :kind "text-start" :index 0)
    (scripted-event 2 :kind "reasoning-delta" :index 1 :text "hm")
    (scripted-event 3 :kind "text-delta" :index 0 :text "a")
    (scripted-event 4 :kind "text-start" :index 2)
    (scripted-event 5 :kind "text-delta" :index 2 :text "x")
    (scripted-event 6 :kind "reasoning-delta" :index 1 :text "m")
    (scripted-event 7 :kind "text-delta" :index 0 :text "b")
    (scripted-event 8 :kind "text-stop" :index 2 :text "xyz")
    (scripted-event 9 :kind "text-stop" :index 0 :text "ab")
    (scripted-event 10 :kind "loop-done" :stopReason "seen")
    (home-until-shown "(seen)" buffer)
    (should (equal "ab\nhmm\nxyz\n(seen)\n" (home-text buffer)))))

(scripted-test text-of-a-model-that-failed-is-void
  (let ((buffer (scripted-watched)))
    (scripted-event 1 :kind "text-start" :index 0)
    (scripted-event 2 :kind "text-delta" :index 0 :text "nonsense")
    (scripted-event 3 :kind "attempt-failed" :provider "one" :model "m" :error "gone")
    (scripted-event 4 :kind "text-start" :index 0)
    (scripted-event 5 :kind "text-delta" :index 0 :text "sense")
    (scripted-event 6 :kind "text-stop" :index 0 :text "sense")
    (home-until-shown "sense" buffer)
    (home-until "all is there" (lambda () (eql 6 (buffer-local-value 'open-think--sequence buffer))))
    (should (equal "one m failed: gone\nsense\n" (home-text buffer)))))

(scripted-test what-was-missed-is-read-anew
  (let ((buffer (scripted-watched)))
    (scripted-event 1 :kind "mood-changed")
    (home-until-shown "(mood-changed)" buffer)
    (scripted-event 9 :kind "resync")
    (home-until "the session is read anew" (lambda () (equal "" (home-text buffer))))
    (home-until "it is watched" (lambda () (eq t (buffer-local-value 'open-think--attached buffer))))
    (should (= 2 (seq-count (lambda (message) (equal "conductor.subscribe" (plist-get message :method)))
                            scripted-received)))))

(scripted-test a-decision-that-was-lost-can-be-made-again
  (setq scripted-silent '("conductor.approve"))
  (let ((buffer (scripted-watched))
        (asked (lambda ()
                 (seq-count (lambda (message) (equal "conductor.approve" (plist-get message :method))) scripted-received))))
    (scripted-event 1 :kind "tool-held" :actionId "act" :toolUseId "u" :skill "cut" :input '(:deep (:er [1 "a\u202eb"])))
    (home-until-shown "[Approve] [Deny]" buffer)
    (should (string-search "Held: cut\n{\n  \"deep\": {\n    \"er\": [\n      1,\n      \"a\\u202eb\"\n    ]\n  }\n}\n[Approve]" (home-text buffer)))
    (open-think-approve)
    (home-until "it is asked" (lambda () (= 1 (funcall asked))))
    (should-not (string-search "[Approve]" (home-text buffer)))
    (signal-process open-think--process 'SIGKILL)
    (home-until-shown "[Approve] [Deny]" buffer)
    (home-until-shown "connection to the daemon was lost" buffer)
    (should (= 0 (buffer-local-value 'open-think--running buffer)))
    (open-think-approve)
    (home-until "it is asked again" (lambda () (= 2 (funcall asked))))
    (should (equal '(0 1) (sort (mapcar (lambda (message) (or (plist-get (plist-get message :params) :afterSeq) 0))
                                        (seq-filter (lambda (message) (equal "conductor.subscribe" (plist-get message :method)))
                                                    scripted-received))
                                #'<)))))

(scripted-test a-buffer-that-goes-watches-no-longer
  (kill-buffer (scripted-watched))
  (home-until "it is unsubscribed"
              (lambda () (seq-find (lambda (message) (equal "conductor.unsubscribe" (plist-get message :method)))
                                   scripted-received))))

(scripted-test questions-that-are-not-known-are-declined
  (scripted-watched)
  (scripted-say :id "s1" :method "conductor.approval" :params '(:approvalId "a"))
  (should (equal -32601 (plist-get (plist-get (scripted-answer "s1") :error) :code))))

(scripted-test skills-answer-and-their-errors-are-told
  (open-think-register-skill "emacs-add"
    :description "Adds." :dangerous nil :timeout-ms 5000
    :schema '(:type "object" :properties (:a (:type "integer")))
    :handler (lambda (input) (if (plist-get input :a) (1+ (plist-get input :a)) (error "No luck today"))))
  (unwind-protect
      (progn
        (scripted-watched)
        (home-until "all skills are offered" (lambda () (= 5 (length (scripted-offers)))))
        (should (equal '("editor-open-file" "editor-read-selection" "editor-list-diagnostics" "editor-apply-edit" "emacs-add")
                       (mapcar (lambda (offer) (plist-get offer :id)) (scripted-offers))))
        (should (equal '( :id "emacs-add" :description "Adds." :inputSchema (:type "object" :properties (:a (:type "integer")))
                          :dangerous :json-false :timeoutMs 5000)
                       (car (last (scripted-offers)))))
        (scripted-say :id "s1" :method "skills.call" :params '(:skill "emacs-add" :input (:a 41) :deadlineMs 5000))
        (should (equal '(:output 42) (plist-get (scripted-answer "s1") :result)))
        (scripted-say :id "s2" :method "skills.call" :params '(:skill "emacs-add" :input nil))
        (should (equal '(:code -32803 :message "No luck today") (plist-get (scripted-answer "s2") :error)))
        (scripted-say :id "s3" :method "skills.call" :params '(:skill "unheard-of"))
        (should (plist-get (scripted-answer "s3") :error))
        (scripted-say :method "$/cancelRequest" :params '(:id "s3"))
        (open-think-unregister-skill "emacs-add")
        (home-until "it is taken back"
                    (lambda () (seq-find (lambda (message) (equal "skills.unregister" (plist-get message :method)))
                                         scripted-received))))
    (open-think-unregister-skill "emacs-add")))

(scripted-test an-output-that-cannot-be-sent-is-an-error
  (open-think-register-skill "emacs-odd" :description "Odd." :handler (lambda (_) (current-buffer)))
  (unwind-protect
      (progn
        (scripted-watched)
        (scripted-say :id "s1" :method "skills.call" :params '(:skill "emacs-odd"))
        (should (equal -32803 (plist-get (plist-get (scripted-answer "s1") :error) :code))))
    (open-think-unregister-skill "emacs-odd")))

(scripted-test nothing-is-offered-to-a-daemon-that-takes-nothing
  (setq scripted-methods [])
  (scripted-watched)
  (should-not (scripted-offers)))

(scripted-test pickers-give-up-and-a-late-answer-does-no-harm
  (setq scripted-silent '("providers.list"))
  (scripted-watched)
  (let ((open-think-timeout 0.2))
    (should (string-search "not answered providers.list for 0.2 seconds"
                           (cadr (should-error (call-interactively #'open-think-set-provider) :type 'user-error)))))
  (let ((request (seq-find (lambda (message) (equal "providers.list" (plist-get message :method))) scripted-received)))
    (scripted-say :id (plist-get request :id) :result '(:providers [])))
  (scripted-event 1 :kind "still-here")
  (home-until-shown "(still-here)"))

(scripted-test a-daemon-that-says-nothing-is-let-go
  (setq scripted-silent '("initialize"))
  (let* ((open-think-timeout 0.2)
         (told (home-messages
                 (open-think-status)
                 (home-until "it is let go" (lambda () (not (open-think-connected-p))))
                 (home-until "it is told" (lambda () (null open-think--connection))))))
    (should (seq-find (lambda (text) (string-search "did not get to answer" text)) told))))

(defun scripted-offers ()
  "The skills that were offered, in order."
  (nreverse (delq nil (mapcar (lambda (message)
                                (when (equal "skills.register" (plist-get message :method))
                                  (aref (plist-get (plist-get message :params) :skills) 0)))
                              scripted-received))))

(provide 'wire)
;;; wire.el ends here
