;;; open-think-session.el --- The buffer of a session with Helm  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT OR Apache-2.0

;;; Commentary:

;; A session's buffer watches its session in the daemon: it shows what happens
;; there, whoever caused it, and each event once, also when the connection was
;; lost in between.  How events look is in open-think-render.el.

;;; Code:

(require 'open-think-connection)
(require 'open-think-render)

(defcustom open-think-default-session "emacs"
  "The session that commands talk to, unless another one was chosen."
  :type 'string
  :group 'open-think)

(defcustom open-think-default-mode "selective"
  "The mode in which sessions begin."
  :type '(choice (const :tag "Plan only" "propose")
                 (const :tag "Run safe skills, hold dangerous ones" "selective")
                 (const :tag "Run all" "auto")
                 string)
  :group 'open-think)

(defcustom open-think-default-provider nil
  "The provider with which sessions begin; nil for the daemon's own choice."
  :type '(choice (const :tag "The daemon's choice" nil) string)
  :group 'open-think)

(defcustom open-think-history-length 100
  "How many earlier messages of a session are shown."
  :type 'integer
  :group 'open-think)

(defvar open-think--last-session nil
  "The session that was talked to last.")

(defvar-local open-think--session nil
  "The name of this buffer's session.")

(defvar-local open-think--mode nil
  "The mode of the next turn.")

(defvar-local open-think--provider nil
  "The provider of the next turn, or nil.")

(defvar-local open-think--warmth nil
  "What the daemon said last of the provider, as in \"offline (cold)\".")

(defvar-local open-think--running 0
  "How many of this buffer's own turns have not ended.")

(defvar-local open-think--attached nil
  "Whether the session is watched: nil, `waiting', `loading' or t.")

(defvar-local open-think--sequence nil
  "The number of the last event that was shown; nil before the first look.")

(defvar-local open-think--early nil
  "Events that came while earlier messages were being read, the last one first.")

(defvar-local open-think--then nil
  "What to do when the session is watched, the last one first.")

(defvar open-think-session-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map (kbd "a") #'open-think-approve)
    (define-key map (kbd "d") #'open-think-deny)
    (define-key map (kbd "i") #'open-think-ask)
    (define-key map (kbd "m") #'open-think-set-mode)
    (define-key map (kbd "p") #'open-think-set-provider)
    (define-key map (kbd "s") #'open-think-sessions)
    (define-key map (kbd "k") #'open-think-invoke-skill)
    (define-key map (kbd "TAB") #'forward-button)
    (define-key map (kbd "<backtab>") #'backward-button)
    (define-key map (kbd "C-c C-c") #'open-think-interrupt)
    map)
  "Keys of the buffers of sessions.")

(declare-function open-think-approve "open-think")
(declare-function open-think-deny "open-think")
(declare-function open-think-ask "open-think")
(declare-function open-think-set-mode "open-think")
(declare-function open-think-set-provider "open-think")
(declare-function open-think-sessions "open-think")
(declare-function open-think-invoke-skill "open-think")
(declare-function open-think-interrupt "open-think")

(define-derived-mode open-think-session-mode special-mode "Open-Think"
  "Major mode for a session with Helm.

\\{open-think-session-mode-map}"
  :interactive nil
  (buffer-disable-undo)
  (visual-line-mode)
  (setq-local revert-buffer-function #'open-think--reload)
  (setq-local open-think--decide-function #'open-think--decide)
  (setq header-line-format '(:eval (open-think--header)))
  (setq open-think--mode open-think-default-mode
        open-think--provider open-think-default-provider))

(defun open-think--buffer (session)
  "The buffer of SESSION, which is made if there is none."
  (or (open-think--buffer-of session)
      (with-current-buffer (generate-new-buffer (format "*open-think: %s*" session))
        (open-think-session-mode)
        (setq open-think--session session)
        (current-buffer))))

(defun open-think--buffer-of (session)
  "The buffer of SESSION, or nil."
  (seq-find (lambda (buffer) (equal session (buffer-local-value 'open-think--session buffer)))
            (buffer-list)))

(defun open-think--buffers ()
  "The buffers of sessions."
  (seq-filter (lambda (buffer) (buffer-local-value 'open-think--session buffer)) (buffer-list)))

(defun open-think--current ()
  "The buffer of the session that a command is about."
  (if open-think--session
      (current-buffer)
    (open-think--buffer (or open-think--last-session open-think-default-session))))

(defun open-think--header ()
  "What stands above a session."
  (replace-regexp-in-string
   "%" "%%"
   (concat " " open-think--session
           "   mode " open-think--mode
           "   provider " (or open-think--warmth open-think--provider "?")
           (cond ((not (open-think-connected-p)) "   not connected")
                 ((cl-plusp open-think--running) "   working, C-c C-c interrupts")))
   t t))

(defun open-think--watch (buffer then)
  "Call THEN in BUFFER when its session is watched."
  (with-current-buffer buffer
    (if (and (eq open-think--attached t) (open-think--ready-p))
        (funcall then)
      (push then open-think--then)
      (if (open-think--ready-p)
          (open-think--attach buffer)
        (unless open-think--attached
          (setq open-think--attached 'waiting))
        (condition-case failure
            (open-think--connect)
          (error (setq open-think--attached nil
                       open-think--then nil)
                 (signal (car failure) (cdr failure))))))))

(defun open-think--attach-all ()
  "Watch all sessions that have a buffer, after a new connection."
  (dolist (buffer (open-think--buffers))
    (with-current-buffer buffer
      (setq open-think--attached 'waiting))
    (open-think--attach buffer)))

(defun open-think--attach (buffer)
  "Watch the session of BUFFER: from the event after the last one shown."
  (with-current-buffer buffer
    (unless (memq open-think--attached '(loading t))
      (let ((again open-think--sequence))
        (setq open-think--attached 'loading)
        (open-think--request
         "conductor.subscribe"
         `(:sessionName ,open-think--session ,@(when again (list :afterSeq again)))
         (open-think--in buffer
           (lambda (result)
             (let ((last (plist-get result :seq)))
               (if (and again (<= again last))
                   (open-think--begin)
                 ;; The first look, or a session that was begun anew.
                 (setq open-think--sequence last)
                 (open-think--read-history)))))
         (open-think--in buffer #'open-think--not-attached))))))

(defun open-think--in (buffer function)
  "A function of one argument, which is FUNCTION in BUFFER while that lives."
  (lambda (argument)
    (when (buffer-live-p buffer)
      (with-current-buffer buffer
        (funcall function argument)))))

(defun open-think--read-history ()
  "Show earlier messages and held actions, then what has happened since."
  (let* ((buffer (current-buffer))
         (session open-think--session)
         (new (lambda (failure)
                ;; A session begins with its first message.
                (if (equal (plist-get (plist-get failure :data) :code) "E_BAD_REQUEST")
                    (open-think--begin)
                  (open-think--not-attached failure)))))
    (open-think--request
     "sessions.messages" `(:sessionName ,session :limit ,open-think-history-length)
     (open-think--in buffer
       (lambda (history)
         (open-think--request
          "sessions.get" `(:sessionName ,session)
          (open-think--in buffer
            (lambda (detail)
              (open-think--render-history (plist-get history :messages) (plist-get detail :heldActions))
              (open-think--begin)))
          (open-think--in buffer new))))
     (open-think--in buffer new))))

(defun open-think--begin ()
  "The session is watched: show what came early, and do what waits for it."
  (let ((early (nreverse open-think--early))
        (then (nreverse open-think--then)))
    (setq open-think--attached t
          open-think--early nil
          open-think--then nil)
    (mapc #'open-think--take early)
    (open-think--ask-warmth)
    (mapc #'funcall then)))

(defun open-think--not-attached (failure)
  "The session cannot be watched, because of FAILURE."
  (setq open-think--attached nil
        open-think--early nil
        open-think--then nil)
  (unless (open-think--lost-p failure)
    (open-think--render-error failure))
  (open-think--report failure))

(defun open-think--lost-everywhere (sentence)
  "Write into each session's buffer that the connection is gone: SENTENCE."
  (dolist (buffer (open-think--buffers))
    (with-current-buffer buffer
      (when open-think--attached
        (open-think--render-note sentence))
      (setq open-think--attached nil
            open-think--early nil
            open-think--then nil
            open-think--running 0))))

(defun open-think--event (params)
  "Deal with PARAMS of a `conductor.event'."
  (when-let ((buffer (open-think--buffer-of (plist-get params :sessionName))))
    (with-current-buffer buffer
      (if (eq open-think--attached t)
          (open-think--take params)
        (push params open-think--early)))))

(defun open-think--take (params)
  "Show the event in PARAMS, unless that was done before."
  (let ((sequence (plist-get params :seq))
        (event (plist-get params :event)))
    (when (> sequence (or open-think--sequence 0))
      (setq open-think--sequence sequence)
      (if (equal (plist-get event :kind) "resync")
          (open-think--reload)
        (open-think--render-event (plist-get params :turnId) event)))))

(defun open-think--reload (&rest _)
  "Read the session anew."
  (setq open-think--attached nil
        open-think--sequence nil)
  (open-think--render-clear)
  (open-think--watch (current-buffer) #'ignore))

(defun open-think--turn (method params &optional failed)
  "Ask for a turn, or for the rest of one, by METHOD with PARAMS.
FAILED is called if it fails.  Its events come by the subscription."
  (let ((buffer (current-buffer)))
    (setq open-think--last-session open-think--session
          open-think--told-errors nil)
    (cl-incf open-think--running)
    (force-mode-line-update)
    (open-think--request
     method `(:sessionName ,open-think--session ,@params)
     (open-think--in buffer
       (lambda (result)
         (setq open-think--running (max 0 (1- open-think--running)))
         (open-think--ask-warmth)
         (when (and (cl-plusp (length (plist-get result :suggestedActions)))
                    (not (get-buffer-window (current-buffer) 'visible)))
           (message "open-think: actions wait for your decision in %s" (buffer-name)))))
     (open-think--in buffer
       (lambda (failure)
         (when failed
           (funcall failed))
         (setq open-think--running (max 0 (1- open-think--running)))
         (unless (open-think--lost-p failure)
           (open-think--ask-warmth)
           (open-think--render-error failure)
           (unless (get-buffer-window (current-buffer) 'visible)
             (open-think--report failure))))))))

(defun open-think--decide (decision id input)
  "Decide the held action ID: DECISION is \"approve\" or \"deny\".
INPUT, if it is there, replaces what the skill is called with."
  (let ((buffer (current-buffer)))
    (open-think--render-decision id (if (equal decision "approve") "approved" "denied"))
    (open-think--watch
     buffer
     (lambda ()
       (open-think--turn "conductor.approve"
                         `(:actionIds [,id] :decision ,decision ,@(when input (list :input input)))
                         (lambda () (open-think--render-undecided id)))))))

(defun open-think--ask-warmth ()
  "Ask how warm the provider of this buffer is, for its header."
  (open-think--request
   "daemon.status" nil
   (open-think--in (current-buffer)
     (lambda (status)
       (let* ((id (or open-think--provider (plist-get status :defaultProvider)))
              (row (seq-find (lambda (row) (equal (plist-get row :id) id)) (plist-get status :providers))))
         (setq open-think--warmth (if row (format "%s (%s)" id (plist-get row :state)) id))
         (force-mode-line-update))))
   #'ignore))

(add-hook 'open-think-connected-functions #'open-think--attach-all)
(add-hook 'open-think-lost-functions #'open-think--lost-everywhere)
(add-hook 'open-think-event-functions #'open-think--event)

(provide 'open-think-session)
;;; open-think-session.el ends here
